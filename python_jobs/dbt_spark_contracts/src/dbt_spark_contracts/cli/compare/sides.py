"""Finds what to compare: Parquet files, a table, a model, or a version of one."""

import os
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from dbt_spark_contracts import tables
from dbt_spark_contracts.cli.compare import versions
from dbt_spark_contracts.cli.compare.problem import CannotCompare
from dbt_spark_contracts.cli.lineage.project import label
from dbt_spark_contracts.compat.pyspark import hadoop_configuration, java_classes
from dbt_spark_contracts.errors import condition_of, explain
from dbt_spark_contracts.lineage.project import Project

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

PARQUET = ".parquet"
TABLES = ("model", "seed", "snapshot", "source")

# Sub-folders that identify the folder of a table. Its Parquet files also contain old rows.
FORMATS = {"metadata/*.metadata.json": "an Iceberg", "_delta_log": "a Delta", ".hoodie": "a Hudi"}


@dataclass(frozen=True)
class Side:
    """One of the two tables.

    Attributes:
        called: Its description.
        frame: Its rows.
        node: The project's node for it, if there is one.
    """

    called: str
    frame: "DataFrame"
    node: dict | None = None


def find(
    session: "SparkSession", project: Project, words: str, published: versions.Published
) -> Side:
    """Find the table that an argument names. Only schemas are read.

    Args:
        session: The session.
        project: The nodes of the project.
        words: The path or URL of Parquet files, or the name of a table or model, which may have a
            version: see versions.py.
        published: Returns when a run was published.

    Returns:
        The table.

    Raises:
        CannotCompare: If it does not exist or cannot be read.
    """
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import AnalysisException, ParseException, PySparkException

    try:
        if is_path(words):
            return _parquet(session, words)
        return _table(session, project, words, published)
    except ParseException:
        raise CannotCompare(
            f"{words!r} is not the name of a table, and not a path with a /"
        ) from None
    except AnalysisException as error:
        if condition_of(error) in (tables.NO_TABLE, "SCHEMA_NOT_FOUND"):
            if Path(words).exists():
                return find(session, project, f"./{words}", published)
            raise CannotCompare(_no_table(session, project, words)) from None
        raise CannotCompare(_unreadable(words, error)) from None
    except (Py4JJavaError, PySparkException) as error:
        raise CannotCompare(_unreadable(words, error)) from None


def is_path(words: str) -> bool:
    """Return whether the argument names files, and not a table."""
    return "/" in words or os.sep in words or words.lower().endswith(PARQUET)


def _unreadable(words: str, error: BaseException) -> str:
    return f"{words} cannot be read: {' '.join(explain(error).split())}"


def _parquet(session: "SparkSession", words: str) -> Side:
    from pyspark.errors import AnalysisException

    # A warm Java has another working directory.
    path = words if "://" in words else str(Path(words).expanduser().absolute())
    if kind := _other_format(session, path):
        raise CannotCompare(
            f"{words} is the folder of {kind} table, whose files also contain old rows: "
            "name the table, not the folder"
        )
    try:
        # Without it, Spark uses the columns of one file for all files.
        frame = session.read.option("mergeSchema", "true").parquet(path)
    except AnalysisException as error:
        known = {
            "PATH_NOT_FOUND": f"there is no {words}: give files or a folder that exists",
            "UNABLE_TO_INFER_SCHEMA": f"{words} contains no Parquet file: give a folder that does",
        }
        raise CannotCompare(known.get(condition_of(error), _unreadable(words, error))) from None
    return Side(f"{words} (Parquet)", frame)


def _other_format(session: "SparkSession", path: str) -> str:
    """Return the table format if the path is a table's folder or data folder. Empty if not."""
    file_path = java_classes(session).org.apache.hadoop.fs.Path
    here = file_path(path)
    files = here.getFileSystem(hadoop_configuration(session))
    for folder in filter(None, (here, here.getParent())):
        for name, kind in FORMATS.items():
            if files.globStatus(file_path(folder, name)):
                return kind
    return ""


def _table(
    session: "SparkSession", project: Project, words: str, published: versions.Published
) -> Side:
    name, version = versions.split(words)
    node = _named(project, name)
    table = node["relation_name"] if node else name
    node = node or project.nodes.get(project.names.get(project.full_name(table), ""))
    if not version:
        return Side(table.replace("`", ""), session.table(table), node)
    id = versions.snapshot(session, table, version, published)
    told = f"{table.replace('`', '')} at {version}"
    told = told if version == str(id) else f"{told} (snapshot {id})"
    # A branch has the table's current columns. A snapshot has those that it was written with.
    return Side(told, session.table(f"{table}.snapshot_id_{id}"), node)


def _named(project: Project, name: str) -> dict | None:
    """Return the node with this name in dbt."""
    nodes = [
        node
        for node in project.nodes.values()
        if node["resource_type"] in TABLES
        and name in (node["unique_id"], label(node))
        and node.get("relation_name")
    ]
    if len(nodes) > 1:
        ids = ", ".join(sorted(node["unique_id"] for node in nodes))
        raise CannotCompare(f"several nodes are called {name}: use one of {ids}")
    return nodes[0] if nodes else None


def _no_table(session: "SparkSession", project: Project, words: str) -> str:
    name, _ = versions.split(words)
    known = [
        node["relation_name"].replace("`", "")
        for node in project.nodes.values()
        if node["resource_type"] in TABLES and node.get("relation_name")
    ]
    close = get_close_matches(name.replace("`", ""), known, n=1, cutoff=0.5)
    way_out = f"is it {close[0]}?" if close else "name a table, a model, or a path with a / in it"
    catalog = tables.current_catalog(session)
    return f"the catalog {catalog} has no table {name}: {way_out}"
