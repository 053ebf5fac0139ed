"""The models that a command on contracts is about."""

import re
from collections.abc import Iterable
from dataclasses import replace

from dbt_spark_contracts.cli.contract.cannot import Cannot
from dbt_spark_contracts.cli.opened import Opened, Place, open_project
from dbt_spark_contracts.nodes import is_enforced

ARTIFACTS = "contract"  # the folder, in dbt's target folder, of what these commands parse


def opened(place: Place) -> Opened:
    """Open the project, also where a contract is enforced whose columns are yet to be written.

    What is parsed like that is kept apart from what dbt itself has parsed.

    Raises:
        CannotOpen: See `open_project`.
    """
    from dbt_spark_contracts.compat.dbt_core import unwritten_contracts_allowed

    artifacts = place.folder.resolve() / "target" / ARTIFACTS
    with unwritten_contracts_allowed():
        return open_project(replace(place, artifacts=artifacts))


def models(project: Opened, names: Iterable[str]) -> dict[str, dict]:
    """The models of these names, by their unique ids, as they are named.

    Raises:
        Cannot: There is no such model, or it has versions or is ephemeral.
    """
    own = project.manifest.metadata.project_name
    found = {}
    for name in dict.fromkeys(names):
        known = [each for each in project.nodes.values() if each["name"] == name]
        of_kind = [each for each in known if each["resource_type"] == "model"]
        node = next((each for each in of_kind if each["package_name"] == own), None)
        if node is None:
            kinds = ", ".join(sorted({f"a {each['resource_type']}" for each in known}))
            what = f"{name} is {kinds} and no model of {own}" if known else f"no model is {name}"
            raise Cannot(f"{what}: name one, as `dbt ls --resource-type model` lists them")
        if node.get("version") is not None:
            raise Cannot(f"{name} has versions: write their contracts by hand")
        if node["config"]["materialized"] == "ephemeral":
            raise Cannot(f"{name} is ephemeral: dbt holds no contract of such a model")
        found[node["unique_id"]] = node
    return found


def contracted(project: Opened, names: Iterable[str]) -> dict[str, dict]:
    """The same, which have to have an enforced contract; without names, all that have one.

    Raises:
        Cannot: As above; or a model has no contract.
    """
    names = [*names]
    if not names:
        own = project.manifest.metadata.project_name
        return {
            key: node
            for key, node in sorted(project.nodes.items())
            if node["resource_type"] == "model"
            and node["package_name"] == own
            and has_contract(node)
        }
    found = models(project, names)
    for node in found.values():
        if not has_contract(node):
            raise Cannot(
                f"{node['name']} has no contract: `dbt-spark-contracts contract generate "
                f"{node['name']}` writes one"
            )
    return found


def has_contract(node: dict) -> bool:
    """Is the model's contract enforced, and written?"""
    return is_enforced(node["config"]) and bool(node["columns"])


def config_to_enforce(node: dict) -> dict:
    """What the config of a model lacks, so that dbt enforces its contract.

    Raises:
        Cannot: Its own code says so otherwise, or it says on_schema_change as dbt refuses it.
    """
    if is_enforced(node["config"]):
        return {}
    if re.search(r"\bcontract\s*=", node["raw_code"]):
        raise Cannot(f"{node['name']} says in its own code that it has no contract: take that out")
    config: dict = {"contract": {"enforced": True}}
    policies = ("fail", "append_new_columns")
    is_incremental = node["config"]["materialized"] == "incremental"
    if is_incremental and node["config"].get("on_schema_change") not in policies:
        if "on_schema_change" in (node.get("unrendered_config") or {}):
            raise Cannot(
                f"{node['name']} says on_schema_change: dbt enforces a contract where it is "
                f"{' or '.join(policies)}"
            )
        config["on_schema_change"] = "fail"
    return config
