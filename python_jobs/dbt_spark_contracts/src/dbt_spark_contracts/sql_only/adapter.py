"""dbt-spark's adapter for a Spark in another process, with the methods that the macros here call.

It sends only SQL to Spark, so it works with every connection method.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from dbt.adapters import spark
from dbt.adapters.base.meta import available
from dbt.events.types import JinjaLogWarning
from dbt.exceptions import ContractError
from dbt_common.events.functions import fire_event, warn_or_error
from dbt_common.events.types import Note
from dbt_common.exceptions import CompilationError

from dbt_spark_contracts.compat import dbt_core
from dbt_spark_contracts.lineage.project import marked
from dbt_spark_contracts.nodes import is_enforced

SESSION = "`method: session`"
HELD = (
    "method {}: the names, types, not_null and check of a contract are enforced, and the columns "
    "of an incremental table. Marks, keys, column lineage, branches and contracts on Python models "
    f"need {SESSION}."
)
# Iceberg has no smallint and no tinyint.
_AS_KEPT = {"tinyint": "int", "smallint": "int"}


class SparkAdapter(spark.SparkAdapter):
    """The adapter `spark` for a Spark in another process.

    The class has this name because dbt finds an adapter's module by the class name.
    """

    def __init__(self, config: Any, mp_context: Any) -> None:
        super().__init__(config, mp_context)
        self._is_said = False

    @available
    def say_what_is_held(self) -> None:
        """Print, once per command, which checks this connection supports, and which it does not."""
        if not self._is_said:
            self._is_said = True
            fire_event(Note(msg=HELD.format(self.config.credentials.method)))

    @available
    def require_session(self, operation: str) -> None:
        """Refuse an operation on the branches of runs.

        Raises:
            CompilationError: Always. The message is one line.
        """
        raise CompilationError(
            f"{operation} needs {SESSION}: runs by {self.config.credentials.method} have no branch."
        )

    @available
    def by_dbt_spark(self, name: str, context: dict, query: str = "") -> Any:
        """Run dbt-spark's own materialization.

        Args:
            name: The name of the materialization.
            context: The context of the calling macro.
            query: The query to use instead of the model's, if its pre-hooks have run.

        Returns:
            The result of the materialization.
        """
        instead: dict[str, Any] = {}
        if is_enforced(context["model"]["config"]) and context["model"]["language"] == "sql":
            instead["pre_hooks"] = []
        if query:
            model = context["model"] | {"compiled_code": query}
            instead |= {"model": model, "compiled_code": query, "sql": query}
        manifest = self.get_macro_resolver()
        return dbt_core.stock_materialization(manifest, name, {**context, **instead})()

    @available
    def columns_described(self, rows: Iterable[Sequence]) -> list[dict]:
        """Return the columns in the result of a `describe`, without the sections below them."""
        found = []
        for name, data_type, *_ in rows:
            if not name or name.startswith("#"):
                break
            found.append({"name": name, "data_type": data_type})
        return found

    @available
    def check_columns(self, contract: list[dict], found: list[dict]) -> None:
        """Compare a model's columns with its contract.

        Raises:
            ContractError: dbt's own error, if they differ.
        """
        self.say_what_is_held()

        def told(columns: list[dict]) -> list[tuple]:
            return sorted((column["name"], column["data_type"]) for column in columns)

        if told(contract) != told(found):
            raise ContractError(contract, found)

    @available
    def check_drift(
        self, table: Any, contract: list[dict], found: list[dict], on_schema_change: str | None
    ) -> list[str]:
        """Compare the columns of an existing incremental table with the contract.

        Args:
            table: The table.
            contract: The columns of the contract.
            found: The columns of the table.
            on_schema_change: The model's config.

        Returns:
            The columns to add to the table, as SQL.

        Raises:
            CompilationError: With a line for each column that is only in the table, for each that
                is only in the contract and may not be added, and for each with another type.
        """
        from dbt_spark_contracts.schemas import quoted  # not at the top: it imports pyspark

        missing = []
        types = {column["name"].lower(): column["data_type"] for column in found}
        promised = {column["name"].lower(): column["data_type"] for column in contract}
        lines = [
            f"{name}: in the table, not in the contract: `alter table {table} drop column {name}`"
            for name in types
            if name not in promised
        ]
        for name, wanted in promised.items():
            if name not in types and on_schema_change == "append_new_columns":
                missing.append(f"{quoted(name)} {wanted}")
            elif name not in types:
                lines.append(
                    f"{name}: in the contract, not in the table: set "
                    "`on_schema_change: append_new_columns`"
                )
            elif name in types and types[name] not in (wanted, _AS_KEPT.get(wanted)):
                lines.append(f"{name}: {types[name]} in the table, {wanted} in the contract")
        if lines:
            told = "\n".join(f"  {line}" for line in lines)
            raise CompilationError(
                f"{table} differs from its contract:\n{told}\n"
                "Or rebuild the table with --full-refresh. Nothing was written."
            )
        return missing

    @available
    def rows_held(self, model: dict, staged: Any) -> str:
        """Return a query of the staged rows that fails at a row that violates the contract."""
        # Not at the top: it imports pyspark.
        from dbt_spark_contracts.contract import constraints
        from dbt_spark_contracts.schemas import quoted

        wanted = [
            (f"{quoted(name)} is not null", f"{name} is null, and is not_null")
            for name in sorted(constraints.not_null(model))
        ]
        wanted += [
            (f"coalesce(cast(({check.expression}) as boolean), true)", f"{check} does not hold")
            for check in constraints.checks(model)
        ]
        rows = f"select * from {staged}"
        if not wanted:
            return rows
        held = (
            f"assert_true({condition}, {_text(model['name'])} || ': ' || {_text(breach)}) is null"
            for condition, breach in wanted
        )
        return f"{rows}\nwhere {' and '.join(held)}"

    @available
    def check_what_is_not_traced(self, model: dict, graph: dict) -> None:
        """Warn that a model in a project with marks cannot be traced.

        Raises:
            CompilationError: If its contract is enforced and its meta does not allow each column to
                be untraced. The message is one line.
        """
        nodes = {**graph["nodes"], **graph["sources"]}
        marks = {
            key
            for key, node in nodes.items()
            if any(marked(column) for column in node["columns"].values())
        }
        if not marks:
            return
        self.say_what_is_held()
        told = f"{model['name']} cannot be traced by method {self.config.credentials.method}"
        if is_enforced(model["config"]):
            allowed = model["config"]["meta"].get("untraced_allowed") or {}
            if left := [name for name in model["columns"] if name not in allowed]:
                raise CompilationError(
                    f"{told}, and the project has marked columns: build it with {SESSION}, or give "
                    f"a reason for each column in its meta: `untraced_allowed: {{{left[0]}: the "
                    "reason}`."
                )
        elif parents := sorted(marks & {*model["depends_on"]["nodes"]}):
            names = ", ".join(nodes[parent]["name"] for parent in parents)
            line = f"{told}: it may hold a marked column of {names}"
            warn_or_error(JinjaLogWarning(msg=line))


def _text(text: str) -> str:
    """Return a text as a literal in Spark SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
