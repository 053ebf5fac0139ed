"""What dbt-spark writes by its own materialization, because it is to be no Iceberg table."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from dbt.adapters.base.meta import AdapterMeta, available
from dbt_common.exceptions import CompilationError

from dbt_spark_contracts import schemas
from dbt_spark_contracts.compat import dbt_core
from dbt_spark_contracts.connection import explained
from dbt_spark_contracts.lineage.memory import PROPERTY
from dbt_spark_contracts.lineage.project import Project, marked
from dbt_spark_contracts.nodes import format_of, has_guard, is_enforced
from dbt_spark_contracts.publish import branches, tell
from dbt_spark_contracts.spark import session

if TYPE_CHECKING:
    from collections.abc import Callable

    from dbt_spark_contracts.invocation import Invocation

ICEBERG_OR = "set `+file_format: iceberg`, or "


class UnguardedDoors(metaclass=AdapterMeta):
    """A part of the adapter: what macros/materializations/unguarded.sql asks."""

    # The adapter's.
    invocation: "Invocation"
    get_macro_resolver: "Callable[[], Any]"
    project_of: "Callable[[dict], Project]"

    @available
    def is_unguarded(self, relation: Any, model: dict, graph: dict) -> bool:
        """Does dbt-spark write the table of this model, seed or snapshot? Then a line says so.

        Raises:
            CompilationError: In one line, if it would lose what its yml promises, or if its table
                is one of the guard's, which dbt-spark would drop.
        """
        if has_guard(model["config"]):
            return False
        told = f"{relation}: {format_of(model['config'])}"
        if why := _is_bound(self.project_of(graph).nodes.get(model["unique_id"], model)):
            raise CompilationError(f"{told}, and {why}. Nothing was written.")
        if _is_ours(str(relation)):
            raise CompilationError(
                f"{told}, and there is a table whose history dbt-spark would drop: {ICEBERG_OR}"
                "give it another alias, or drop the table yourself. Nothing was written."
            )
        tell.line(
            f"{told}: dbt-spark writes it by itself, seen at once, without branch, drift check "
            "or history."
        )
        return True

    @available
    def require_nothing_to_keep(
        self, relation: Any, view: Any, marks: Mapping[str, Iterable[str]]
    ) -> None:
        """Raises CompilationError, in one line, for what only an Iceberg table could keep.

        Args:
            relation: The table.
            view: The staged view.
            marks: Those that a snapshot's columns would take over.
        """
        if taken := sorted(name for name, found in marks.items() if found):
            raise CompilationError(
                f"{relation}: {', '.join(taken)} would take over marks, which only an Iceberg "
                f"table keeps: {ICEBERG_OR}leave them out. Nothing was written."
            )
        notes = self.invocation.notes.get(str(view))
        if notes is not None and notes.is_asked:
            raise CompilationError(
                f"{relation}: its model keeps a note, which only an Iceberg table has: "
                f"{ICEBERG_OR}keep none. Nothing was written."
            )

    @available
    def by_dbt_spark(self, name: str, context: dict, query: str = "") -> Any:
        """Run dbt-spark's own materialization of this name; the model's pre-hooks have run.

        Args:
            name: Its name.
            context: What the macro that calls this has by name.
            query: What stands for the model's query, if that is staged.
        """
        instead = {"pre_hooks": []}
        if query:
            model = context["model"] | {"language": "sql", "compiled_code": query}
            instead |= {"model": model, "compiled_code": query, "sql": query}
        manifest = self.get_macro_resolver()
        return dbt_core.stock_materialization(manifest, name, {**context, **instead})()


def _is_bound(node: dict) -> str:
    """What of the guard a node's yml asks for, and the way out; none, if it asks for nothing."""
    if is_enforced(node["config"]):
        return f"its contract is enforced: {ICEBERG_OR}take the contract out"
    columns = [column["name"] for column in node["columns"].values() if marked(column)]
    if columns:
        return f"its column {columns[0]} is marked: {ICEBERG_OR}take the mark out"
    return ""


def _is_ours(table: str) -> bool:
    """Is there a table that the guard has written?"""
    spark = session.get()
    with explained():
        if branches.find(spark, table) is None:
            return False
        names = schemas.properties(spark, table)
    return branches.WRITES_TO_BRANCHES in names or any(name.startswith(PROPERTY) for name in names)
