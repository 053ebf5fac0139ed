"""Nodes that dbt-spark writes with its own materialization: not Iceberg, or `unguarded`."""

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
    """The part of the adapter for macros/materializations/unguarded.sql."""

    # Provided by the adapter.
    invocation: "Invocation"
    get_macro_resolver: "Callable[[], Any]"
    project_of: "Callable[[dict], Project]"

    @available
    def is_unguarded(self, relation: Any, model: dict, graph: dict) -> bool:
        """Return whether dbt-spark writes the table of this node. If so, a line says it.

        Raises:
            CompilationError: If that would break a promise in its yml, or if the table was written
                by the guard, because dbt-spark would drop it. The message is one line.
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
            f"{told}: dbt-spark writes it, visible at once, without a branch, a drift check or "
            "history."
        )
        return True

    @available
    def require_nothing_to_keep(
        self, model: dict, view: Any, marks: Mapping[str, Iterable[str]]
    ) -> None:
        """Check that the node needs nothing that only a table of the guard can store.

        Args:
            model: dbt's model.
            view: The staged view.
            marks: The marks that a snapshot's columns would inherit.

        Raises:
            CompilationError: If it does. The message is one line.
        """
        if taken := sorted(name for name, found in marks.items() if found):
            raise CompilationError(
                f"{model['name']}: {', '.join(taken)} would inherit marks, which needs a table "
                f"that the guard writes: {_way_in(model)}remove them. Nothing was written."
            )
        notes = self.invocation.notes.get(str(view))
        if notes is not None and notes.is_asked:
            raise CompilationError(
                f"{model['name']}: its model keeps a note, which needs a table that the guard "
                f"writes: {_way_in(model)}keep no note. Nothing was written."
            )

    @available
    def by_dbt_spark(self, name: str, context: dict, query: str = "") -> Any:
        """Run dbt-spark's own materialization. The model's pre-hooks have already run.

        Args:
            name: The name of the materialization.
            context: The context of the calling macro.
            query: The query to use instead of the model's, if the model is staged.

        Returns:
            The result of the materialization.
        """
        instead: dict[str, Any] = {"pre_hooks": []}
        if query:
            model = context["model"] | {"language": "sql", "compiled_code": query}
            instead |= {"model": model, "compiled_code": query, "sql": query}
        manifest = self.get_macro_resolver()
        result = dbt_core.stock_materialization(manifest, name, {**context, **instead})()
        # dbt-spark's `incremental` returns no type. Without one, dbt cannot drop the relation.
        relations = [each.incorporate(type=each.type or "table") for each in result["relations"]]
        return {"relations": relations}


def _is_bound(node: dict) -> str:
    """Return what in a node's yml needs the guard, and the way out. Empty if nothing does."""
    if is_enforced(node["config"]):
        return f"its contract is enforced: {_way_in(node)}remove the contract"
    columns = [column["name"] for column in node["columns"].values() if marked(column)]
    if columns:
        return f"its column {columns[0]} is marked: {_way_in(node)}remove the mark"
    return ""


def _way_in(model: dict) -> str:
    """Return how to let the guard write a model, as the first of two ways out."""
    told = (model["config"].get("meta") or {}).get(UNGUARDED)
    return "remove `unguarded`, or " if told else "set `+file_format: iceberg`, or "


def _is_ours(table: str) -> bool:
    """Return whether there is such a table, and the guard has written it."""
    spark = session.get()
    with explained():
        if branches.find(spark, table) is None:
            return False
        names = schemas.properties(spark, table)
    return branches.WRITES_TO_BRANCHES in names or any(name.startswith(PROPERTY) for name in names)
