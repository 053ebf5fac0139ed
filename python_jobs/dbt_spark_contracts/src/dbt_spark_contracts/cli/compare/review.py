"""Prepares a comparison from the command line: the project, its tables, the key, the marks."""

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dbt_spark_contracts import tables
from dbt_spark_contracts.cli.compare.compare import Wanted, compare
from dbt_spark_contracts.cli.compare.explained import Explanation, since_commit, since_file
from dbt_spark_contracts.cli.compare.key import primary_key
from dbt_spark_contracts.cli.compare.marked import marks
from dbt_spark_contracts.cli.compare.problem import CannotCompare
from dbt_spark_contracts.cli.compare.result import Comparison
from dbt_spark_contracts.cli.compare.sides import Side, find
from dbt_spark_contracts.cli.opened import Opened, Place, open_project
from dbt_spark_contracts.cli.operations import told
from dbt_spark_contracts.cli.steps import step
from dbt_spark_contracts.compat.dbt_adapters import last_target_path
from dbt_spark_contracts.lineage.project import Project
from dbt_spark_contracts.publish.log import PUBLISHED
from dbt_spark_contracts.publish.operations import MOST_BUILDS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Asked:
    """The arguments of the command line.

    Attributes:
        old: The old table, in words.
        new: The new table, in words.
        key: The columns that rows are matched by. Empty for the contract's primary key.
        tolerances: The tolerance of each column, as SQL, by its name.
        ignored: The names of columns to ignore.
        limit: The number of examples per difference.
        shows_marked: Whether the values of marked columns are shown.
        base: The commit since which code changes may explain differences, if any.
        lineage_before: The file of the earlier column lineage, if any.
    """

    old: str
    new: str
    key: list[str] = field(default_factory=list)
    tolerances: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    limit: int = 3
    shows_marked: bool = False
    base: str | None = None
    lineage_before: Path | None = None


def review(place: Place, asked: Asked) -> Comparison:
    """Compare the two tables of the command line, in the project's own session.

    Raises:
        CannotCompare: If they cannot be compared.
        CannotOpen: If the project cannot be opened.
    """
    with step("Opening the project"):
        opened = open_project(place)
        session = opened.spark
        project = project_of(opened, session)
    with step("Looking at the two tables"):
        published = partial(_published, place)
        old, new = (find(session, project, words, published) for words in (asked.old, asked.new))
    names = [*old.frame.columns, *new.frame.columns]
    nodes = [new.node, old.node]
    wanted = Wanted(
        asked.key or primary_key(nodes),
        asked.tolerances,
        asked.ignored,
        asked.limit,
        {} if asked.shows_marked else marks(project, nodes, names),
    )
    found = compare(old, new, wanted)
    return replace(found, explanation=_explanation(opened, asked, old, new))


def project_of(opened: Opened, session: "SparkSession") -> Project:
    """Return the nodes of a project, by the names of their tables in its catalog."""
    sources = {
        key: source.to_dict(omit_none=False) for key, source in opened.manifest.sources.items()
    }
    graph = {"nodes": opened.nodes, "sources": sources}
    return Project(graph, tables.current_catalog(session), {}, opened.selected)


def _published(place: Place, run: str) -> str | None:
    """Return when a run was last published, according to the publish log."""
    rows = told(place, "history", {"limit": MOST_BUILDS}, lambda line: None)
    return next(
        (row["at"] for row in rows if (row["run"], row["status"]) == (run, PUBLISHED)), None
    )


def _explanation(opened: Opened, asked: Asked, old: Side, new: Side) -> Explanation | None:
    if not asked.base and not asked.lineage_before:
        return None
    node = new.node or old.node
    if node is None or node["resource_type"] not in ("model", "snapshot"):
        raise CannotCompare(
            "--base and --lineage-before need a table of a model, and neither table is one"
        )
    if asked.lineage_before:
        return since_file(node, asked.lineage_before, last_target_path())
    place = opened.place
    where = ["--project-dir", str(place.folder)]
    where += ["--profiles-dir", str(place.profiles)] if place.profiles else []
    with step(f"Building the current code and that of {asked.base} without rows"):
        return since_commit(node, opened.nodes, str(asked.base), where)
