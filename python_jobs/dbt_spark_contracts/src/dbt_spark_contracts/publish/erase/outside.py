"""What holds the value outside of the tables: landing files, seed files, checkpoints.

They are listed, and not changed: files are the user's.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from dbt_spark_contracts.publish.erase.asked import Asked
from dbt_spark_contracts.publish.erase.conditions import used
from dbt_spark_contracts.publish.erase.look import plain_path, without_globs
from dbt_spark_contracts.python_models.files import read_files

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

LANDING, SEED, CHECKPOINT = "landing file", "seed file", "checkpoint"
UNREADABLE = "landing file that cannot be read"

_VIEW = "dbt_erase_lines"


def landing_files(session: "SparkSession", location: str, asked: Asked) -> list[dict]:
    """Return the files of a source that hold the value, in their text or in their name.

    Args:
        session: The session.
        location: The folder of the source.
        asked: What is to be erased.
    """
    files = {
        plain_path(row.path): row.relative_path
        for row in read_files(session, location).select("path", "relative_path").collect()
    }
    found, unreadable = _holding(session, list(files), asked)
    names = session.createDataFrame([(path,) for path in files], "value string")
    if files:
        found |= _where(session, names, "value rlike :inside", "value", asked)
    return [
        *({"kind": LANDING, "path": path} for path in sorted(found)),
        *({"kind": UNREADABLE, "path": path} for path in sorted(unreadable)),
    ]


def _holding(session: "SparkSession", paths: list[str], asked: Asked) -> tuple[set[str], set[str]]:
    """Return the files that hold the value, and those that cannot be read."""
    if not paths:
        return set(), set()
    reader, literal = session.read, [*map(without_globs, paths)]
    if len(paths) == 1:
        reader, literal = reader.option("__globPaths__", "false"), paths
    # UTF-16 and UTF-32 of ASCII is ASCII with zeros. Other letters of theirs cannot be told here.
    condition = "replace(value, char(0), '') rlike :inside"
    if not asked.value.isascii():
        condition += " or instr(value, char(0)) > 0"
    try:
        lines = reader.text(literal).select("value", F.col("_metadata.file_path").alias("path"))
        return _where(session, lines, condition, "path", asked), set()
    except (Py4JJavaError, PySparkException):
        if len(paths) == 1:
            return set(), set(paths)
    apart = [_holding(session, [path], asked) for path in paths]
    return set().union(*(found for found, _ in apart)), set().union(*(no for _, no in apart))


def _where(
    session: "SparkSession", frame: "DataFrame", condition: str, column: str, asked: Asked
) -> set[str]:
    """Return the values of a column, which is a path, in the rows of a condition."""
    frame.createOrReplaceTempView(_VIEW)
    query = f"select distinct {column} from {_VIEW} where {condition}"
    try:
        rows = session.sql(query, args=used(asked, query)).collect()
    finally:
        session.catalog.dropTempView(_VIEW)
    return {plain_path(unquote(path) if path.startswith("file:") else path) for (path,) in rows}


def seed_files(nodes: Iterable[Mapping], project: Path, asked: Asked) -> list[dict]:
    """Return the files of seeds that hold the value: the next build would load it again."""
    ways = {asked.value, asked.value.replace('"', '""')}
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, ways))})(?!\w)")
    found = []
    for node in nodes:
        file = Path(node.get("root_path") or project, node["original_file_path"])
        if node["resource_type"] == "seed" and file.is_file():
            text = file.read_bytes().decode("utf-8", "replace")
            found += [{"kind": SEED, "path": str(file)}] if pattern.search(text) else []
    return found
