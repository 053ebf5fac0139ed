"""The adapter methods that the materialization of data tests calls."""

from typing import TYPE_CHECKING

from dbt.adapters.base.meta import AdapterMeta, available

from dbt_spark_contracts.connection import explained
from dbt_spark_contracts.data_tests import decides
from dbt_spark_contracts.nodes import has_branches
from dbt_spark_contracts.spark import session

if TYPE_CHECKING:
    from agate import Table

    from dbt_spark_contracts.connection import SessionConnectionManager
    from dbt_spark_contracts.invocation import Invocation

# What of a test's config decides whether it passes.
_DECIDES = ("fail_calc", "warn_if", "error_if", "severity", "limit", "sql_header")


class DataTestMethods(metaclass=AdapterMeta):
    """The part of the adapter for data tests."""

    # Provided by dbt.
    connections: "SessionConnectionManager"

    invocation: "Invocation"

    @available
    def has_passed(self, test: dict, query: str) -> bool:
        """Return whether a build need not run a data test again.

        Args:
            test: dbt's node.
            query: Its query.
        """
        passed = self.invocation.run.passed
        return passed is not None and passed.has(test["unique_id"], self._checksum(test, query))

    @available
    def remember(self, test: dict, query: str, result: dict) -> None:
        """Remember that a data test has passed, if its result depends on known rows alone.

        Args:
            test: dbt's node.
            query: Its query.
            result: What dbt's materialization has stored. Its query was this thread's last one.
        """
        passed = self.invocation.run.passed
        if passed is None or any(result["table"].rows[0].values()):
            return
        checksum = self._checksum(test, query)
        with explained():
            if checksum and decides.is_function_of(self.connections.last_frame(), self._refs(test)):
                passed.add(test["unique_id"], checksum)

    @available
    def no_failures(self) -> "Table":
        """Return the result of a data test that has passed, as dbt's query returns it."""
        from dbt_common.clients.agate_helper import table_from_data_flat  # agate is slow to import

        names = ["failures", "should_warn", "should_error"]
        return table_from_data_flat([dict(zip(names, (0, False, False), strict=True))], names)

    def _checksum(self, test: dict, query: str) -> str | None:
        names = self._refs(test)
        if not names:
            return None
        config = {name: test["config"].get(name) for name in _DECIDES}
        with explained():
            return decides.checksum(session.get(), query, config, names)

    def _refs(self, test: dict) -> set[str]:
        """Return the tables that a test refers to. Empty if one of them is not the project's."""
        nodes, parents = self.invocation.run.ownership.nodes, test["depends_on"]["nodes"]
        owned = [
            nodes[one] for one in parents if one in nodes and has_branches(nodes[one]["config"])
        ]
        return {node["relation_name"] for node in owned} if len(owned) == len(parents) else set()
