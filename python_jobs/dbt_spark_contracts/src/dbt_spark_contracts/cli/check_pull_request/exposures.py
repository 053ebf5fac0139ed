"""Who reads the tables: dbt's exposures, and the columns that they say they read."""

from collections.abc import Iterable
from operator import itemgetter

from dbt_spark_contracts.cli.check_pull_request.manifest import Manifest, parents
from dbt_spark_contracts.lineage.artifact import short_name

# In an exposure's meta: the columns that it reads, by model. Without, it reads all.
COLUMNS = "columns"


def readers(manifest: Manifest, of: Iterable[str]) -> list[dict]:
    """The exposures that read one of these nodes, by name: dbt's order changes."""
    wanted = set(of)
    exposures = sorted(manifest.exposures.values(), key=itemgetter("name"))
    return [each for each in exposures if wanted & _read(manifest, each)]


def _read(manifest: Manifest, exposure: dict) -> set[str]:
    """What an exposure reads, also through metrics, semantic models and saved queries."""
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
    """The columns that an exposure says it reads of a node, in lower case; none if it reads all."""
    config = exposure.get("config") or {}
    told = {**(exposure.get("meta") or {}), **(config.get("meta") or {})}.get(COLUMNS)
    if not isinstance(told, dict):
        return []
    name = short_name(node).lower()
    by_model = {str(model).lower(): columns for model, columns in told.items()}
    # One entry may be for all versions of a model.
    columns = by_model.get(name) or by_model.get(name.partition(".v")[0]) or []
    return [str(each).lower() for each in ([columns] if isinstance(columns, str) else columns)]


def reader(exposure: dict) -> str:
    """An exposure and its owner, in words."""
    owner = exposure.get("owner") or {}
    told = owner.get("name") or owner.get("email")
    return f"{exposure['name']} ({told})" if told else exposure["name"]
