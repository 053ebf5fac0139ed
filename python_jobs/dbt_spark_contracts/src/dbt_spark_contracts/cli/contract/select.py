"""Finds the models for a command on contracts."""

import re
from collections.abc import Iterable
from dataclasses import replace

from dbt_spark_contracts.cli.contract.cannot import Cannot
from dbt_spark_contracts.cli.opened import Opened, Place, open_project
from dbt_spark_contracts.nodes import is_enforced

ARTIFACTS = "contract"  # the folder for these commands' artifacts, in dbt's target folder


def opened(place: Place) -> Opened:
    """Open the project, even if an enforced contract has no columns yet.

    The result of this parse is kept apart from dbt's own.

    Raises:
        CannotOpen: See `open_project`.
    """
    from dbt_spark_contracts.compat.dbt_core import unwritten_contracts_allowed

    artifacts = place.folder.resolve() / "target" / ARTIFACTS
    with unwritten_contracts_allowed():
        return open_project(replace(place, artifacts=artifacts))


def models(project: Opened, names: Iterable[str]) -> dict[str, dict]:
    """Return the models with these names, by unique id, in the given order.

    Raises:
        Cannot: If there is no such model, or it has versions or is ephemeral.
    """
    own = project.manifest.metadata.project_name
    found = {}
    for name in dict.fromkeys(names):
        known = [each for each in project.nodes.values() if each["name"] == name]
        of_kind = [each for each in known if each["resource_type"] == "model"]
        node = next((each for each in of_kind if each["package_name"] == own), None)
        if node is None:
            kinds = ", ".join(sorted({f"a {each['resource_type']}" for each in known}))
            what = (
                f"{name} is {kinds} and not a model of {own}"
                if known
                else f"there is no model {name}"
            )
            raise Cannot(f"{what}: see `dbt ls --resource-type model`")
        if node.get("version") is not None:
            raise Cannot(f"{name} has versions: write their contracts by hand")
        if node["config"]["materialized"] == "ephemeral":
            raise Cannot(f"{name} is ephemeral: dbt does not enforce contracts of ephemeral models")
        found[node["unique_id"]] = node
    return found


def contracted(project: Opened, names: Iterable[str]) -> dict[str, dict]:
    """Return the models with these names, or all models that have an enforced contract.

    Raises:
        Cannot: As in `models`, or if a model has no enforced contract.
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
    """Return whether the model's contract is enforced and has columns."""
    return is_enforced(node["config"]) and bool(node["columns"])


def config_to_enforce(node: dict) -> dict:
    """Return what to add to a model's config so that dbt enforces its contract.

    Raises:
        Cannot: If its own code disables the contract, or sets an on_schema_change that dbt refuses.
    """
    if is_enforced(node["config"]):
        return {}
    if re.search(r"\bcontract\s*=", node["raw_code"]):
        raise Cannot(f"{node['name']} disables its contract in its own code: remove that")
    config: dict = {"contract": {"enforced": True}}
    policies = ("fail", "append_new_columns")
    is_incremental = node["config"]["materialized"] == "incremental"
    if is_incremental and node["config"].get("on_schema_change") not in policies:
        if "on_schema_change" in (node.get("unrendered_config") or {}):
            raise Cannot(
                f"{node['name']} has the wrong on_schema_change: with a contract, dbt requires "
                f"{' or '.join(policies)}"
            )
        config["on_schema_change"] = "fail"
    return config
