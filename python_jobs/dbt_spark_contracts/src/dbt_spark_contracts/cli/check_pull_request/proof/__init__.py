"""Changed models whose plan is proven to be the same: a refactor, in SQL or Python.

Both versions of a model are analyzed on the same tables, stand-ins of those of the working tree's
build, and Spark's canonicalized optimized plans are compared. That is a proof for all data only if
nothing but the plan decides. So nothing is said of a model whose code may look at anything besides
its refs (`pure_sql`, `pure_python`), whose plan holds what is no function of the tables (`plans`),
which is incremental, or of which anything else changes, upstream too.

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

# What a model becomes from its query alone.
BY_QUERY = ("table", "view", "ephemeral")
KINDS = ("code", "macro", "import")


def candidates(changes: Iterable[Change], before: Manifest, after: Manifest) -> set[str]:
    """The models of which nothing but the query is another."""
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
        and after.nodes[key]["config"].get("materialized") in BY_QUERY
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
    """Those of the wanted models whose plan is the same, as is all that they read.

    Args:
        project: The project, which is built.
        base: The base, whose code is run on the tables of the working tree.
        wanted: Models of `candidates`.
        changes: All that changed.
        before: The base's manifest.
        after: The working tree's.
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
    # What reads something that is another is not the same table, though its query is.
    return same - after.downstream(others) - before.downstream(others)


def _is_pure(root: Path, manifest: Manifest, key: str, schemas: set[str]) -> bool:
    """Does nothing but refs decide about the model's query?"""
    node = manifest.nodes[key]
    if node.get("language") != "python":
        return is_pure_sql(node, manifest, schemas)
    files = sorted(modules_of(root, node["raw_code"]))
    if any(file.startswith("..") for file in files):
        return False  # one of the repository around the project is not run for each side
    sources = [(root / file).read_text(encoding="utf-8") for file in files]
    modules = {".".join(Path(file).with_suffix("").parts) for file in files}
    return all(is_pure_python(each, modules, schemas) for each in [node["raw_code"], *sources])


def _schemas(manifest: Manifest) -> set[str]:
    return {node["schema"] for node in manifest.nodes.values() if node.get("schema")}
