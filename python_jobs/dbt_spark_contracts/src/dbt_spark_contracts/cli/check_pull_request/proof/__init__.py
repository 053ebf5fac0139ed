"""Proves that changed models have the same plan: a refactoring, in SQL or Python.

Both versions of a model are analyzed on the same stand-ins for the working tree's tables, and
Spark's canonicalized optimized plans are compared. This proves equality for all data only if the
plan alone decides. So there is no proof for a model whose code may use more than its refs
(`pure_sql`, `pure_python`), whose plan is not a function of the tables (`plans`), that is
incremental, or for which anything else changes, including upstream. An incremental model with
`dbt.affected` has the rows of a full refresh. So it is compared, with the keys that it asks for.

    candidates   the models to compare
    proven       those that are the same
"""

from collections.abc import Collection, Iterable
from pathlib import Path

from dbt_spark_contracts.cli.check_pull_request.base import Base
from dbt_spark_contracts.cli.check_pull_request.changes.change import Change, Reach
from dbt_spark_contracts.cli.check_pull_request.changes.imports import modules_of
from dbt_spark_contracts.cli.check_pull_request.manifest import Manifest, parents
from dbt_spark_contracts.cli.check_pull_request.project import Project
from dbt_spark_contracts.cli.check_pull_request.proof.pure_python import is_pure_python
from dbt_spark_contracts.cli.check_pull_request.proof.pure_sql import is_pure_sql
from dbt_spark_contracts.cli.check_pull_request.proof.stage import Side, with_same_plan

# Materializations whose result depends on the query alone.
BY_QUERY = ("table", "view", "ephemeral")
KINDS = ("code", "macro", "import")


def candidates(changes: Iterable[Change], before: Manifest, after: Manifest) -> set[str]:
    """Return the models in which only the query differs."""
    reached: dict[str, list[Change]] = {}
    for change in changes:
        for key in change.reaches:
            reached.setdefault(key, []).append(change)
    return {
        key
        for key, own in reached.items()
        if key in before.nodes
        and key in after.nodes
        and after.nodes[key]["resource_type"] == "model"
        and _is_by_query(after.nodes[key])
        and parents(before.nodes[key]) == parents(after.nodes[key])
        and all(each.kind in KINDS and each.reaches[key] is Reach.QUERY for each in own)
    }


def proven(
    project: Project,
    base: Base,
    wanted: Collection[str],
    changes: Iterable[Change],
    before: Manifest,
    after: Manifest,
) -> set[str]:
    """Return the wanted models whose plan is the same, and whose inputs are the same, too.

    Args:
        project: The project, already built.
        base: The base, whose code is run on the working tree's tables.
        wanted: Models from `candidates`.
        changes: All changes.
        before: The base's manifest.
        after: The working tree's manifest.

    Returns:
        The unique ids of the models.
    """
    sides = (Side(base.tree, before, base.manifest), Side(project.root, after, project.state))
    tables = _schemas(before) | _schemas(after)
    pure = sorted(
        key
        for key in wanted
        if all(_is_pure(side.root, side.manifest, key, tables) for side in sides)
    )
    same = with_same_plan(project, sides, pure) if pure else set()
    others = {key for change in changes for key in change.reaches} - same
    # A model with changed inputs is a different table, even with the same query.
    return same - after.downstream(others) - before.downstream(others)


def _is_by_query(node: dict) -> bool:
    """Return whether a model's rows may depend on its query alone."""
    config = node["config"]
    # `stage` requires `dbt.affected`.
    is_by_key = (
        node.get("language") == "python"
        and config.get("materialized") == "incremental"
        and config.get("incremental_strategy") == "delete+insert"
    )
    return is_by_key or config.get("materialized") in BY_QUERY


def _is_pure(root: Path, manifest: Manifest, key: str, schemas: set[str]) -> bool:
    """Return whether the model's query depends on its refs alone."""
    node = manifest.nodes[key]
    if node.get("language") != "python":
        return is_pure_sql(node, manifest, schemas)
    files = sorted(modules_of(root, node["raw_code"]))
    if any(file.startswith("..") for file in files):
        return False  # modules outside of the project are not run per side
    sources = [(root / file).read_text(encoding="utf-8") for file in files]
    modules = {".".join(Path(file).with_suffix("").parts) for file in files}
    return all(is_pure_python(each, modules, schemas) for each in [node["raw_code"], *sources])


def _schemas(manifest: Manifest) -> set[str]:
    return {node["schema"] for node in manifest.nodes.values() if node.get("schema")}
