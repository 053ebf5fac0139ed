"""Readers of the tables: dbt's exposures, and the columns they declare."""

from collections.abc import Iterable
from operator import itemgetter

from dbt_spark_contracts.cli.check_pull_request.manifest import Manifest, parents
from dbt_spark_contracts.lineage.artifact import short_name

# The key in an exposure's meta for the columns that it reads, by model. Default: all.
COLUMNS = "columns"


def readers(manifest: Manifest, of: Iterable[str]) -> list[dict]:
    """Return the exposures that read one of these nodes, by name because dbt's order varies."""
    wanted = set(of)
    exposures = sorted(manifest.exposures.values(), key=itemgetter("name"))
    return [each for each in exposures if wanted & _read(manifest, each)]


def _read(manifest: Manifest, exposure: dict) -> set[str]:
    """Return what an exposure reads, also through metrics, semantic models and saved queries."""
    between = {
        key: node
        for part in ("metrics", "semantic_models", "saved_queries")
        for key, node in (manifest.raw.get(part) or {}).items()
    }
    found: set[str] = set()
    reached = parents(exposure)
    while reached:
        found |= reached
        reached = {each for key in reached & between.keys() for each in parents(between[key])}
        reached -= found
    return found


def columns_read(exposure: dict, node: str) -> list[str]:
    """Return the columns of a node that an exposure declares, in lower case. Empty means all."""
    config = exposure.get("config") or {}
    told = {**(exposure.get("meta") or {}), **(config.get("meta") or {})}.get(COLUMNS)
    if not isinstance(told, dict):
        return []
    name = short_name(node).lower()
    by_model = {str(model).lower(): columns for model, columns in told.items()}
    # One entry may cover all versions of a model.
    columns = by_model.get(name) or by_model.get(name.partition(".v")[0]) or []
    return [str(each).lower() for each in ([columns] if isinstance(columns, str) else columns)]


def reader(exposure: dict) -> str:
    """Return an exposure and its owner, in words."""
    owner = exposure.get("owner") or {}
    told = owner.get("name") or owner.get("email")
    return f"{exposure['name']} ({told})" if told else exposure["name"]
