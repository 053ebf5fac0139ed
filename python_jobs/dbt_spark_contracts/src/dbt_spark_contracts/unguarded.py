"""What dbt-spark writes by its own materialization: no Iceberg table, or one without the guard."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from dbt.adapters.base.meta import AdapterMeta, available
from dbt_common.exceptions import CompilationError

from dbt_spark_contracts import schemas
from dbt_spark_contracts.compat import dbt_core
from dbt_spark_contracts.connection import explained
from dbt_spark_contracts.lineage.memory import PROPERTY
from dbt_spark_contracts.lineage.project import Project, marked
from dbt_spark_contracts.nodes import UNGUARDED, is_enforced, why_unguarded
from dbt_spark_contracts.publish import branches, tell
from dbt_spark_contracts.spark import session

if TYPE_CHECKING:
    from collections.abc import Callable

    from dbt_spark_contracts.invocation import Invocation


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
        why = why_unguarded(model["config"])
        if not why:
            return False
        told = f"{relation}: {why}"
        node = self.project_of(graph).nodes.get(model["unique_id"], model)
        if bound := _is_bound(node):
            raise CompilationError(f"{told}, and {bound}. Nothing was written.")
        if _is_ours(str(relation)):
            raise CompilationError(
                f"{told}, and there is a table whose history dbt-spark would drop: "
                f"{_way_in(model)}give it another alias, or drop the table. Nothing was written."
            )
        tell.line(
            f"{told}: dbt-spark writes it by itself, seen at once, without branch, drift check "
            "or history."
        )
        return True

    @available
    def require_nothing_to_keep(
        self, model: dict, view: Any, marks: Mapping[str, Iterable[str]]
    ) -> None:
        """Raises CompilationError, in one line, for what only a table of the guard could keep.

        Args:
            model: dbt's model.
            view: The staged view.
            marks: Those that a snapshot's columns would take over.
        """
        if taken := sorted(name for name, found in marks.items() if found):
            raise CompilationError(
                f"{model['name']}: {', '.join(taken)} would take over marks, which only a "
                f"table of the guard keeps: {_way_in(model)}leave them out. Nothing was written."
            )
        notes = self.invocation.notes.get(str(view))
        if notes is not None and notes.is_asked:
            raise CompilationError(
                f"{model['name']}: its model keeps a note, which only a table of the guard has: "
                f"{_way_in(model)}keep none. Nothing was written."
            )

    @available
    def by_dbt_spark(self, name: str, context: dict, query: str = "") -> Any:
        """Run dbt-spark's own materialization of this name; the model's pre-hooks have run.

        Args:
            name: Its name.
            context: What the macro that calls this has by name.
            query: What stands for the model's query, if that is staged.
        """
        instead: dict[str, Any] = {"pre_hooks": []}
        if query:
            model = context["model"] | {"language": "sql", "compiled_code": query}
            instead |= {"model": model, "compiled_code": query, "sql": query}
        manifest = self.get_macro_resolver()
        result = dbt_core.stock_materialization(manifest, name, {**context, **instead})()
        # Its incremental one says no type, and dbt cannot drop what a package makes beside that.
        relations = [each.incorporate(type=each.type or "table") for each in result["relations"]]
        return {"relations": relations}


def _is_bound(node: dict) -> str:
    """What of the guard a node's yml asks for, and the way out; none, if it asks for nothing."""
    if is_enforced(node["config"]):
        return f"its contract is enforced: {_way_in(node)}take the contract out"
    columns = [column["name"] for column in node["columns"].values() if marked(column)]
    if columns:
        return f"its column {columns[0]} is marked: {_way_in(node)}take the mark out"
    return ""


def _way_in(model: dict) -> str:
    """How the guard is to write a model, as the first of two ways out."""
    told = (model["config"].get("meta") or {}).get(UNGUARDED)
    return "take that out, or " if told else "set `+file_format: iceberg`, or "


def _is_ours(table: str) -> bool:
    """Is there a table that the guard has written?"""
    spark = session.get()
    with explained():
        if branches.find(spark, table) is None:
            return False
        names = schemas.properties(spark, table)
    return branches.WRITES_TO_BRANCHES in names or any(name.startswith(PROPERTY) for name in names)
