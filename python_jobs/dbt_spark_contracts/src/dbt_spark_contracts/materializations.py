"""Checks materializations: the guard knows some, and refuses others that could break a promise."""

from collections.abc import Mapping
from typing import Any

from dbt_common.exceptions import DbtRuntimeError

from dbt_spark_contracts.compat.dbt_adapters import PACKAGE
from dbt_spark_contracts.compat.dbt_core import CONTRACT_CHECK, calls

# The packages whose materializations are known. Those of dbt and dbt-spark write no table that the
# guard should write, or raise an error.
KNOWN_PACKAGES = (PACKAGE, "dbt", "dbt_spark")

# A materialization that calls this macro writes to the branch of the run.
OPENS_TO_BRANCHES = "contracts__prepare_table"

# In a model's meta: the reason why it may be written without an audit.
UNAUDITED = "unaudited"


def check(node: Any, macro: Any, macros: Mapping, is_audited: bool) -> None:
    """Check that the node's materialization keeps the guard's promises.

    Args:
        node: A model, seed or snapshot of dbt.
        macro: The macro of its materialization. None if there is none; dbt then raises the error.
        macros: All macros, by unique id.
        is_audited: Whether this run writes to a branch.

    Raises:
        DbtRuntimeError: If it would break a promise. The message is one line.
    """
    if macro is None:
        return
    name = f"{node.name}: the materialization {node.config.materialized} of {macro.package_name}"
    contract = getattr(node.config, "contract", None)
    if contract and contract.enforced and not calls(macro, CONTRACT_CHECK, macros):
        raise DbtRuntimeError(
            f"{name} does not check the model's contract: let it call {CONTRACT_CHECK}, or use "
            "table or incremental. Nothing was written."
        )
    is_known = macro.package_name in KNOWN_PACKAGES or calls(macro, OPENS_TO_BRANCHES, macros)
    if is_audited and not is_known and not node.config.meta.get(UNAUDITED):
        raise DbtRuntimeError(
            f"{name} may write past this run's branch, so readers would see untested rows: let it "
            f"call {OPENS_TO_BRANCHES}, or give a reason in the model's meta: `{UNAUDITED}: …`. "
            "Nothing was written."
        )
