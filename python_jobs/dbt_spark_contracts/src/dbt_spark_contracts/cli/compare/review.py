"""From what the command line says to a comparison: the project, its tables, the key, the marks."""

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
    """What the command line says.

    Attributes:
        old: The one table, in words.
        new: The other.
        key: The columns that rows are matched by; empty for the contract's primary key.
        tolerances: By how much numbers may differ, as SQL, by the column's name.
        ignored: The names of columns that are left out.
        limit: How many examples of each difference are shown.
        shows_marked: Whether the values of marked columns are shown.
        base: The commit since which changes of the code explain differences, if any.
        lineage_before: The file of the column lineage before, if any.
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
    """Compare what the command line names, in a project's own session.

    Raises:
        CannotCompare: If that cannot be.
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
    """The nodes of a project, as the tables of its catalog are named."""
    sources = {
        key: source.to_dict(omit_none=False) for key, source in opened.manifest.sources.items()
    }
    graph = {"nodes": opened.nodes, "sources": sources}
    return Project(graph, tables.current_catalog(session), {}, opened.selected)


def _published(place: Place, run: str) -> str | None:
    """When a run was published last, by the publish log."""
    rows = told(place, "history", {"limit": MOST_BUILDS}, lambda line: None)
    return next(
        (row["at"] for row in rows if (row["run"], row["status"]) == (run, PUBLISHED)), None
    )


def _explanation(opened: Opened, asked: Asked, old: Side, new: Side) -> Explanation | None:
    if not asked.base and not asked.lineage_before:
        return None
    node = new.node or old.node
    if node is None or node["resource_type"] not in ("model", "snapshot"):
        raise CannotCompare("the code explains a model's table, and neither is one of the project")
    if asked.lineage_before:
        return since_file(node, asked.lineage_before, last_target_path())
    place = opened.place
    where = ["--project-dir", str(place.folder)]
    where += ["--profiles-dir", str(place.profiles)] if place.profiles else []
    with step(f"Building the code of now and of {asked.base} without rows"):
        return since_commit(node, opened.nodes, str(asked.base), where)
