"""dbt-spark's adapter where Spark is in another process: what macros here ask of it.

All is said to Spark in SQL, so that it does not matter by which method it is reached.
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
    "method {}: of a contract names, types, not_null, check and the columns of an incremental "
    "table are held. Marks, keys, column lineage, branches and contracts on Python models need "
    f"{SESSION}."
)
# Iceberg has no smaller integers.
_AS_KEPT = {"tinyint": "int", "smallint": "int"}


class SparkAdapter(spark.SparkAdapter):
    """The adapter `spark`, for a Spark in another process.

    dbt finds the module of an adapter by the name of its class, so that has to be this one.
    """

    def __init__(self, config: Any, mp_context: Any) -> None:
        super().__init__(config, mp_context)
        self._is_said = False

    @available
    def say_what_is_held(self) -> None:
        """Say once for a command what of the guard this connection has, and what it has not."""
        if not self._is_said:
            self._is_said = True
            fire_event(Note(msg=HELD.format(self.config.credentials.method)))

    @available
    def require_session(self, operation: str) -> None:
        """Raises CompilationError, in one line, for an operation on branches of runs."""
        raise CompilationError(
            f"{operation} needs {SESSION}: by {self.config.credentials.method} no run has branches."
        )

    @available
    def by_dbt_spark(self, name: str, context: dict, query: str = "") -> Any:
        """Run dbt-spark's own materialization of this name.

        Args:
            name: Its name.
            context: What the macro that calls this has by name.
            query: What stands for the model's query, if its pre-hooks have run.
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
        """The columns that a `describe` tells, without what it tells below them."""
        found = []
        for name, data_type, *_ in rows:
            if not name or name.startswith("#"):
                break
            found.append({"name": name, "data_type": data_type})
        return found

    @available
    def check_columns(self, contract: list[dict], found: list[dict]) -> None:
        """Raises dbt's own contract error if a model's columns are not those of its contract."""
        self.say_what_is_held()

        def told(columns: list[dict]) -> list[tuple]:
            return sorted((column["name"], column["data_type"]) for column in columns)

        if told(contract) != told(found):
            raise ContractError(contract, found)

    @available
    def check_drift(
        self, table: Any, contract: list[dict], found: list[dict], on_schema_change: str | None
    ) -> list[str]:
        """The columns that are to be added to a table, as SQL has them.

        Raises CompilationError, with a line for each column of the table that the contract does not
        say, and for each that it has not, and may not have, or of another type.
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
                f"{table} is not as its contract says:\n{told}\n"
                "Or make it anew by --full-refresh. Nothing was written."
            )
        return missing

    @available
    def rows_held(self, model: dict, staged: Any) -> str:
        """The query of a staged model's rows, which fails at a row that breaks its contract."""
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
        """Say of a model in a project with marks that it is not held against them.

        Raises:
            CompilationError: In one line, if its contract is enforced, unless its meta says of each
                column why it may be untraced.
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
                    f"{told}, and the project has marked columns: build it by {SESSION}, or say in "
                    f"its meta why each may pass, `untraced_allowed: {{{left[0]}: the reason}}`."
                )
        elif parents := sorted(marks & {*model["depends_on"]["nodes"]}):
            names = ", ".join(nodes[parent]["name"] for parent in parents)
            line = f"{told}: it may hold a marked column of {names}"
            warn_or_error(JinjaLogWarning(msg=line))


def _text(text: str) -> str:
    """A text as a literal of Spark's SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
