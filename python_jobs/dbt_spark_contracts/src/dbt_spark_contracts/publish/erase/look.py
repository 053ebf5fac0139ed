"""Which files of an Iceberg table hold the value, and which snapshots name those files.

The data files themselves are read, and not the table: a file holds the value also where a delete
hides the row, where the column was dropped, and where no snapshot names the file any more.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from dbt_common.exceptions import DbtRuntimeError
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from dbt_spark_contracts import tables
from dbt_spark_contracts.compat.pyspark import hadoop_configuration, java_classes
from dbt_spark_contracts.publish import branches
from dbt_spark_contracts.publish.branches import MAIN
from dbt_spark_contracts.publish.erase.asked import Asked
from dbt_spark_contracts.publish.erase.conditions import Match, match, used

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# How the value is looked for in a column, by its name in lower case.
Rule = Callable[[str], str]

_VIEW = "dbt_erase_files"
_FILE = "dbt_erase_file"

# How the URL of a local file begins.
_LOCAL = "^file:/+"

# A statement names so many snapshots at once.
_AT_ONCE = 40

# Iceberg's status of a file that the snapshot removes. Its manifest still has the file's bounds.
_REMOVED = 2


@dataclass
class Look:
    """What a table holds.

    Attributes:
        table: Its name.
        files: How many data files were read.
        matches: The columns that hold the value, by name in lower case.
        rows: The rows that hold it, by file, and by column in lower case.
        named_by: The snapshots that name such a file, also as one that was removed.
        current: Of such files, those that main reads.
        refs: The branches and tags at one of these snapshots, without main.
    """

    table: str
    files: int = 0
    matches: dict[str, Match] = field(default_factory=dict)
    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    named_by: dict[int, set[str]] = field(default_factory=dict)
    current: set[str] = field(default_factory=set)
    refs: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.rows or self.named_by)

    @property
    def unnamed(self) -> set[str]:
        """The files that hold it and that no snapshot names."""
        return set(self.rows).difference(*self.named_by.values())

    def held_now(self) -> dict[str, Match]:
        """The columns that hold it in what main reads."""
        names = {name for file in self.current for name in self.rows.get(file, ())}
        return {name: found for name, found in self.matches.items() if name in names}


def look(
    session: "SparkSession", table: str, rule: Rule, asked: Asked, known: Iterable[str] = ()
) -> Look:
    """Look for the value in everything that is left of an Iceberg table.

    Args:
        session: The session.
        table: The table.
        rule: How the value is looked for in its columns.
        asked: What is to be erased.
        known: Files that have held it. What still names them is found, too.

    Raises:
        DbtRuntimeError: If one of its files cannot be read. The message is one line.
    """
    found = Look(table)
    paths = _files(session, table)
    found.files = len(paths)
    for frame in _read(session, sorted(paths.values())):
        _count(session, frame, rule, asked, found)
    if holding := {*found.rows, *known}:
        find_snapshots(session, found, holding)
    return found


def plain_path(path: str) -> str:
    """Return a path as it is compared: a local one without `file:`."""
    return re.sub(_LOCAL, "/", path)


def without_globs(path: str) -> str:
    """Return a path as a pattern that only matches the path itself."""
    return re.sub(r"([\\*?\[\]{}])", r"\\\1", path)


def _files(session: "SparkSession", table: str) -> dict[str, str]:
    """Return the data files of all snapshots and those on disk, by their plain paths."""
    tables.forget(session, table)
    found, deletes = {}, set()
    rows = session.sql(f"select content, file_format, file_path from {table}.all_files")
    for content, file_format, path in rows.collect():
        if content:
            deletes.add(plain_path(path))
        elif file_format.upper() != "PARQUET":
            raise DbtRuntimeError(
                f"{table} has {file_format} files, and only Parquet can be looked into: rewrite it "
                "with write.format.default = parquet, and expire its snapshots."
            )
        else:
            found[plain_path(path)] = path
    loaded = tables.load(session, table)
    folder = loaded.properties().get("write.data.path") or f"{loaded.location()}/data"
    for path in _on_disk(session, folder):
        if path.endswith(".parquet") and plain_path(path) not in deletes:
            found.setdefault(plain_path(path), path)
    return found


def _on_disk(session: "SparkSession", folder: str) -> Iterator[str]:
    """Yield the files in a folder, and in those below it. No Spark job."""
    path = java_classes(session).org.apache.hadoop.fs.Path(folder)
    file_system = path.getFileSystem(hadoop_configuration(session))
    if file_system.exists(path):
        files = file_system.listFiles(path, True)
        while files.hasNext():
            yield files.next().getPath().toString()


def _read(session: "SparkSession", paths: list[str]) -> Iterator["DataFrame"]:
    """Yield DataFrames of the files: one, unless their columns do not fit together."""
    if not paths:
        return
    try:
        yield session.read.option("mergeSchema", "true").parquet(*map(without_globs, paths))
    except (Py4JJavaError, PySparkException):
        if len(paths) == 1:
            raise
        for path in paths:
            yield from _read(session, [path])


def _count(
    session: "SparkSession", frame: "DataFrame", rule: Rule, asked: Asked, found: Look
) -> None:
    """Add the rows that hold the value to what was found."""
    typed = ((own.name, own.dataType.simpleString()) for own in frame.schema)
    wanted = [match(name, kind, rule(name.lower()), asked) for name, kind in typed]
    matches = [each for each in wanted if each]
    if not matches:
        return
    frame.select(F.col("_metadata.file_path").alias(_FILE), "*").createOrReplaceTempView(_VIEW)
    counts = ", ".join(f"count_if({each.sql})" for each in matches)
    query = f"select {_FILE}, {counts} from {_VIEW} group by {_FILE}"
    try:
        for path, *numbers in session.sql(query, args=used(asked, query)).collect():
            for each, number in zip(matches, numbers, strict=True):
                if number:
                    column = each.column.lower()
                    found.matches[column] = each
                    file = plain_path(unquote(path) if ":/" in path else path)
                    found.rows.setdefault(file, {})[column] = number
    finally:
        session.catalog.dropTempView(_VIEW)


def find_snapshots(session: "SparkSession", found: Look, holding: set[str]) -> None:
    """Find the snapshots that name one of the files, and the branches and tags at them."""
    loaded = tables.load_anew(session, found.table)
    refs = branches.refs(session, [found.table])[found.table]
    ids = [snapshot.snapshotId() for snapshot in loaded.snapshots()]
    for start in range(0, len(ids), _AT_ONCE):
        selects = (
            f"select {id}L as id, status, data_file.file_path as path "
            f"from {found.table}.entries version as of {id}"
            for id in ids[start : start + _AT_ONCE]
        )
        named = session.sql(" union all ".join(selects))
        plain = F.regexp_replace("path", _LOCAL, "/")
        for id, status, path in named.where(plain.isin(*holding)).collect():
            found.named_by.setdefault(id, set()).add(plain_path(path))
            if id == refs.get(MAIN) and status != _REMOVED:
                found.current.add(plain_path(path))
    found.refs = sorted(name for name, id in refs.items() if name != MAIN and id in found.named_by)
