"""Which materializations the guard knows, and what it refuses of the others."""

from collections.abc import Mapping
from typing import Any

from dbt_common.exceptions import DbtRuntimeError

from dbt_spark_contracts.compat.dbt_adapters import PACKAGE
from dbt_spark_contracts.compat.dbt_core import CONTRACT_CHECK, calls

# Whose materializations are known: ours, and dbt's and dbt-spark's own, which write no table where
# ours are, or say that they cannot.
KNOWN_PACKAGES = (PACKAGE, "dbt", "dbt_spark")

# What a materialization calls that writes where the run does.
OPENS_TO_BRANCHES = "contracts__prepare_table"

# In a model's meta: why it may be written unseen by the audit.
UNAUDITED = "unaudited"


def check(node: Any, macro: Any, macros: Mapping, is_audited: bool) -> None:
    """Raises DbtRuntimeError, in one line, if the node's materialization would break a promise.

    Args:
        node: A model, seed or snapshot of dbt's.
        macro: The macro of its materialization; None if there is none, which dbt says itself.
        macros: All macros, by unique id.
        is_audited: Whether this run writes to a branch.
    """
    if macro is None:
        return
    name = f"{node.name}: the materialization {node.config.materialized} of {macro.package_name}"
    contract = getattr(node.config, "contract", None)
    if contract and contract.enforced and not calls(macro, CONTRACT_CHECK, macros):
        raise DbtRuntimeError(
            f"{name} does not check the model's contract: let it call {CONTRACT_CHECK}, or take "
            "table or incremental. Nothing was written."
        )
    is_known = macro.package_name in KNOWN_PACKAGES or calls(macro, OPENS_TO_BRANCHES, macros)
    if is_audited and not is_known and not node.config.meta.get(UNAUDITED):
        raise DbtRuntimeError(
            f"{name} may write past this run's branch, so that readers see at once what no test "
            f"has: let it call {OPENS_TO_BRANCHES}, or say why that is right in the model's meta, "
            f"as `{UNAUDITED}: …`. Nothing was written."
        )
