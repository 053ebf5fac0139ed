"""File names that Java cannot read. It does not list them: their files would be lost in silence."""

import os
from pathlib import Path
from typing import Any

from dbt_common.events.base_types import EventLevel
from dbt_common.events.functions import fire_event
from dbt_common.events.types import Note
from pyspark.sql import SparkSession

from dbt_spark_contracts.compat.pyspark import java_classes

# Java's setting for the encoding of file names, which it takes from the locale.
ENCODING = "sun.jnu.encoding"
MOST_SHOWN = 5


def tell_unreadable(spark: SparkSession, uri: Any) -> None:
    """Print a line about the names in a local folder that Java cannot read.

    Args:
        spark: The session.
        uri: The folder, as a Java URI.
    """
    if uri.getScheme() not in (None, "file"):
        return
    folder = uri.getPath()
    encoding = java_classes(spark).java.lang.System.getProperty(ENCODING)
    names = unreadable(folder, encoding)
    if names:
        shown = ", ".join(names[:MOST_SHOWN]) + ", …" * (len(names) > MOST_SHOWN)
        line = f"{folder}: names that are not {encoding} are not read. Rename {shown}"
        fire_event(Note(msg=line), EventLevel.WARN)


def unreadable(folder: str, encoding: str) -> list[str]:
    """Return the names of files and folders in a local folder that are not in an encoding.

    Spark ignores names that begin with `_` or `.`, and so does this.

    Args:
        folder: The folder.
        encoding: The encoding.

    Returns:
        Their paths in the folder, sorted. An invalid byte is shown as its number.
    """
    found = []
    for parent, folders, files in os.walk(folder, followlinks=True):
        folders[:] = _not_ignored(folders)
        for name in folders + _not_ignored(files):
            if not _is_text(os.fsencode(name), encoding):
                path = Path(parent, name).relative_to(folder)
                found.append(os.fsencode(path).decode("utf-8", "backslashreplace"))
    return sorted(found)


def _not_ignored(names: list[str]) -> list[str]:
    return [name for name in names if not name.startswith(("_", "."))]


def _is_text(name: bytes, encoding: str) -> bool:
    try:
        name.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
