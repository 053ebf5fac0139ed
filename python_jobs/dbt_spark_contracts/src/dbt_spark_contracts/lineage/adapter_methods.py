"""The adapter methods that macros/contract/column_origins.sql calls."""

import json
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from dbt.adapters.base.meta import AdapterMeta, available
from dbt.events.types import JinjaLogWarning
from dbt_common.events.functions import warn_or_error
from dbt_common.exceptions import CompilationError, DbtRuntimeError
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from dbt_spark_contracts import tables
from dbt_spark_contracts.compat import dbt_core
from dbt_spark_contracts.connection import SessionConnectionManager, explained
from dbt_spark_contracts.errors import PromiseBroken
from dbt_spark_contracts.lineage import marks, watch, written, wrong_marks
from dbt_spark_contracts.lineage.marks import Memories, Nodes
from dbt_spark_contracts.lineage.memory import Memory, keep, recall, united
from dbt_spark_contracts.lineage.model import trace
from dbt_spark_contracts.lineage.project import SOURCE, Project, marked
from dbt_spark_contracts.lineage.record import Model
from dbt_spark_contracts.lineage.relations import Relation, relations_of
from dbt_spark_contracts.publish import pending, tell
from dbt_spark_contracts.publish.statements import shortened
from dbt_spark_contracts.spark import session

if TYPE_CHECKING:
    from dbt_spark_contracts.invocation import Invocation

# Stands for the model of rows that a hook fetches.
_A_HOOK = {
    **{"name": "a hook", "unique_id": "", "relation_name": "", "database": None, "schema": ""},
    **{"resource_type": "operation", "config": {"meta": {}}, "columns": {}},
    "depends_on": {"nodes": []},
}

# The table property that stores the marks of a snapshot's columns.
MARKS = "dbt.column_marks"


class LineageMethods(metaclass=AdapterMeta):
    """The part of the adapter that checks staged models and hooks against the marks of columns."""

    # Provided by dbt and by the adapter.
    config: Any
    get_macro_resolver: Callable[[], Any]
    connections: SessionConnectionManager
    get_branch: Callable[[], str | None]

    invocation: "Invocation"

    @available
    def check_origins(
        self, view: Any, model: dict, graph: dict, volatile: list[str], internal: list[str]
    ) -> dict[str, list[str]]:
        """Check a staged model against the marks of columns, and record its column lineage.

        This costs analysis, and no Spark job.

        Args:
            view: The staged view.
            model: dbt's `model`.
            graph: dbt's `graph`.
            volatile: Texts that differ in each run.
            internal: The columns of the view that are not columns of the table.

        Returns:
            The marks that a snapshot's columns inherit.

        Raises:
            PromiseBroken: With a line for each column that returns what it may not, or of
                which that cannot be told.
        """
        project = self.project_of(graph)
        entry, memories, nodes = self._trace(project, str(view), model, volatile)
        for name in internal:
            entry.columns.pop(name, None)
        if model["resource_type"] != "test":
            self.invocation.column_lineage.record(model["unique_id"], entry)
            self.invocation.made[str(view)] = marks.made_of(entry, memories, nodes)
        if not project.has_marks:
            return marks.inherited(model, entry, nodes)
        lines = marks.leaks(model, entry, nodes)
        ways_out = [marks.WAY_OUT] if lines else []
        unknown = marks.untraced(model, entry, nodes)
        if unknown and marks.must_be_traced(model, nodes):
            lines += unknown.items()
            ways_out.append(marks.WAY_OUT_OF_UNTRACED % next(iter(unknown)))
        elif unknown and (parents := marks.reads_marked(model, nodes)):
            for line in unknown.values():
                may_be = f"{line}: it may hold a marked column of {', '.join(parents)}"
                warn_or_error(JinjaLogWarning(msg=may_be))
        if lines:
            told = "This model returns columns that must stay where they are."
            raise PromiseBroken("leak", lines, told, ways_out)
        return marks.inherited(model, entry, nodes)

    @available
    def keep_origins(self, relation: Any, view: Any, is_of_all_rows: bool) -> None:
        """Store the origins of the rows that were staged as `view` in the table's properties.

        Stores nothing for a seed, which has no origins.
        """
        memory = self.invocation.made.pop(str(view), None)
        if memory is not None:
            with explained():
                keep(session.get(), str(relation), self.get_branch(), memory, is_of_all_rows)

    @available
    def keep_marks(self, relation: Any, found: dict[str, list[str]]) -> None:
        """Store the marks of a snapshot's columns in the table, because its yml may name none.

        Columns that the source no longer has keep their marks.
        """
        table = str(relation)
        kept = self._kept_marks(table) or {}
        new = json.dumps({**kept, **found}, sort_keys=True)
        if {**kept, **found} != kept:
            tell.change(f"{table}: keep the marks {new}")
            with explained():
                tables.set_property(session.get(), table, MARKS, new)

    # All statements of dbt pass through here: those of models, hooks and macros.

    def execute(self, sql: str, *args: Any, **kwargs: Any) -> Any:
        self._check_writes(sql)
        return super().execute(sql, *args, **kwargs)  # type: ignore[misc]

    @available
    def add_query(self, sql: str, *args: Any, **kwargs: Any) -> Any:
        self._check_writes(sql)
        return super().add_query(sql, *args, **kwargs)  # type: ignore[misc]

    def _check_writes(self, sql: str) -> None:
        """Check what a hook writes into a table of the project against the marks.

        The staged rows of a model have been checked before.

        Raises:
            DbtRuntimeError: Before the statement runs. The message is one line.
        """
        graph = getattr(self.get_macro_resolver(), "flat_graph", None)
        if graph and (watch.set_by(sql) or watch.view_made_by(sql)):
            self._keep_for_others(graph, sql)
        if not graph or not written.may_write(sql) or self._reads_staged(sql):
            return
        project = self.project_of(graph)
        if not project.has_marks:
            return
        for table in written.taken_over(session.get(), sql):
            node = self._written_node(project, table) if table else None
            # The yml of a source describes its content.
            if not table or (node and node["resource_type"] != SOURCE):
                raise DbtRuntimeError(
                    f"`{shortened(sql)}` is not run: no query shows which rows it adds to "
                    f"{table or 'the table'}. Let its model return the rows"
                    + ("." if table else ", or write the table's name instead of identifier(…).")
                )
        for write in written.writes(session.get(), sql):
            target = self._written_node(project, write.table)
            if target is None:
                continue  # a model that reads it cannot be traced
            target = {"depends_on": {"nodes": []}, **target}  # a source depends on nothing
            told = self._told_by(project, self.connections.fetched_frames(), target, ())
            entry, _, nodes = self._traced(project, write.rows, target, (), _collected(told))
            unknown = list(marks.untraced(target, entry, nodes).values())
            leaks = (line for _, line in marks.leaks_of_columns(target, entry, nodes))
            if lines := [*leaks, *unknown]:
                raise DbtRuntimeError(
                    f"`{shortened(sql)}` is not run: {'; '.join(lines)}. Let its model return the "
                    "rows, or mark the columns that it writes."
                )

    def _keep_for_others(self, graph: dict, sql: str) -> None:
        """Record the setting or view that a hook creates, if it has fetched marked columns."""
        frames = [*self.connections.fetched_frames()]
        if frames and (told := self._told_by(self.project_of(graph), frames, _A_HOOK, ())):
            watch.keep_for_others(frames, [], watch.view_made_by(sql))
            if setting := watch.set_by(sql):
                watch.settings[setting] = f"a hook, of {', '.join(told)},"

    def project_of(self, graph: dict) -> Project:
        """Return the project of dbt's graph. It is the same for all models of a command."""
        known = self.invocation.project
        if known is None or known.graph is not graph:
            nodes = getattr(self.get_macro_resolver(), "nodes", {})
            deferred = {
                node.defer_relation.relation_name: unique_id
                for unique_id, node in nodes.items()
                if getattr(node, "defer_relation", None) and node.defer_relation.relation_name
            }
            select = partial(dbt_core.selected, self.get_macro_resolver(), self.config.project_root)
            told = [*graph["nodes"].values(), *graph["sources"].values()]
            if wrong := wrong_marks.misplaced(told) or wrong_marks.nowhere(told, select):
                raise CompilationError("\n".join(wrong))
            known = Project(graph, tables.current_catalog(session.get()), deferred, select)
            self.invocation.project = known
        return known

    @available
    def check_marked_columns(self, relation: Any, view: Any, model: dict, graph: dict) -> None:
        """Check that the marked columns of a staged model and of its sources exist.

        Raises:
            CompilationError: With a line for each mark without an effect.
        """
        nodes = self.project_of(graph).nodes
        known = self.invocation.with_known_columns
        lines = []
        parents = model["depends_on"].get("nodes", ())  # a seed has none
        for unique_id in (model["unique_id"], *parents):
            node = nodes.get(unique_id)
            is_own = unique_id == model["unique_id"]
            if node is None or unique_id in known or not any(map(marked, node["columns"].values())):
                continue
            if is_own:
                there = self.invocation.rows_of(str(view)).columns
                if wrong_marks.absent(node, there) and tables.exists(session.get(), str(relation)):
                    # Only earlier rows may have the column.
                    there = [*there, *session.get().table(str(relation)).columns]
            elif node["resource_type"] == SOURCE and not node.get("external"):
                there = session.get().table(node["relation_name"]).columns
            else:
                continue
            lines += wrong_marks.absent(node, there)
            known.add(unique_id)
        if lines:
            raise CompilationError("\n".join(lines))

    def _trace(
        self, project: Project, view: str, model: dict, volatile: list[str]
    ) -> tuple[Model, Memories, Nodes]:
        """Return the model's column lineage as `_traced` does, including what it has collected."""
        collected = watch.take(view)
        told = sorted(collected.others)
        frames = [*collected.frames, *self.connections.fetched_frames()]
        for unique_id in project.ephemeral_parents(model):
            frames += watch.of_ephemeral(unique_id).frames
        told += self._told_by(project, frames, model, volatile)
        if told and not collected.own_code:
            watch.keep_for_others(frames, sorted(collected.others))
        frame, views = self.invocation.rows_of(view), set[str]()
        if (code := model.get("compiled_code")) and "${" in code:
            told += [f"the setting {key}, which {by} has set" for key, by in watch.settings.items()]
        by_itself = _collected(told)
        found = self._traced(project, frame, model, volatile, by_itself, views)
        # A view of new rows has the columns of its parent, and is traced like the parent.
        new_rows = {name.lower() for of in self.invocation.new_rows.values() for name in of.views}
        # So is a view of the future columns, unless a model has created one of this name.
        future = self.invocation.run.ownership.unpublished.view_names - watch.views_of_models()
        sees_views = bool(views - collected.views - new_rows - future - {view.lower()})
        for other in watch.of_others(collected, sees_views):
            told += self._told_by(project, other.frames, model, volatile)
            told += [f"{text} of another model" for text in sorted(other.others)]
        if _collected(told) == by_itself:
            return found
        return self._traced(project, frame, model, volatile, _collected(told))

    def _told_by(
        self, project: Project, frames: Iterable[DataFrame], model: dict, volatile: Iterable[str]
    ) -> list[str]:
        """Return the marked or unknown columns that the rows of these DataFrames reveal."""
        told = []
        for frame in dict.fromkeys(frames):
            entry, _, nodes = self._traced(project, frame, model, volatile)
            told += marks.told_by(model, entry, nodes)
        return list(dict.fromkeys(told))

    def _traced(
        self,
        project: Project,
        frame: DataFrame,
        model: dict,
        volatile: Iterable[str] = (),
        collected: str = "",
        views: set[str] | None = None,
    ) -> tuple[Model, Memories, Nodes]:
        """Return the column lineage of a model's DataFrame.

        Returns:
            The lineage, the stored origins of the tables that it reads, and all nodes, with the
            marks of what these tables hold.
        """
        own = model["unique_id"]
        is_view = model["config"].get("materialized") == "view"
        names = {name: node for name, node in project.names.items() if not is_view or node != own}
        entry = trace(frame, model, names, volatile, watch.files, collected, views)
        if branch := self.get_branch():
            entry = entry.without(pending.hidden_name("", branch))  # the names after publishing
        memories = self._memories(project, frame, entry)
        marks.hand_on(entry, own, memories, project.nodes)
        return entry, memories, self._with_kept(project, model, memories)

    def _reads_staged(self, sql: str) -> bool:
        """Return whether the statement reads a staged view, which has been checked already."""
        return any(view in sql for view in [*self.invocation.made, *self.invocation.staged])

    def _written_node(self, project: Project, table: str) -> dict | None:
        try:
            catalog, identifier = tables.located(session.get(), table)
        except (PySparkException, Py4JJavaError):
            return None  # not the name of a table
        parts = [catalog.name(), *identifier.namespace(), identifier.name()]
        unique_id = project.names.get(".".join(parts).lower())
        if unique_id is None and parts[-1].lower().startswith("branch_"):
            unique_id = project.names.get(".".join(parts[:-1]).lower())
        return project.nodes[unique_id] if unique_id else None

    def _memories(self, project: Project, frame: DataFrame, entry: Model) -> Memories:
        """Return the stored origins of the tables and views in a column lineage, by node.

        Sources and seeds are left out, because their ymls are complete.
        """
        named = {origin.node for of in entry.columns.values() for origin in of.origins}
        nodes = [project.nodes[node] for node in sorted(named & project.nodes.keys())]
        read = relations_of(frame).values() if nodes else ()
        found: dict[str, Memory | None] = {}
        for node in nodes:
            unique_id, kind = node["unique_id"], node["config"].get("materialized")
            if kind == "view":
                found[unique_id] = self._memory_of_view(project, node)
            elif node["resource_type"] in ("model", marks.SNAPSHOT) and kind != "ephemeral":
                states = [each for each in read if project.names.get(each.name) == unique_id]
                memories = [self._memory_of_table(each) for each in states]
                is_known = bool(memories) and None not in memories
                found[unique_id] = united(filter(None, memories)) if is_known else None
        return found

    def _memory_of_view(self, project: Project, view: dict) -> Memory:
        """Return the origins of a view. A view stores nothing, so its query is traced each time."""
        frame = session.get().table(view["relation_name"])
        entry, memories, nodes = self._traced(project, frame, view)
        return marks.made_of(entry, memories, nodes)

    def _memory_of_table(self, relation: Relation) -> Memory | None:
        """Return the stored origins of a table. None without them, or if it is not Iceberg."""
        try:
            name = next(tables.spellings(relation.name))
            return recall(session.get(), name, self.get_branch(), relation.snapshots)
        except (PySparkException, Py4JJavaError):
            return None

    def _with_kept(self, project: Project, model: dict, memories: Memories) -> Nodes:
        """Return all nodes, with the marks of what their tables hold added to those of the ymls."""
        nodes = project.nodes
        changed: dict[str, dict] = {}
        for unique_id in sorted({*memories, *model["depends_on"]["nodes"]} & nodes.keys()):
            node = nodes[unique_id]
            if node["resource_type"] == marks.SNAPSHOT:
                kept = self._kept_marks(node["relation_name"])
                node = marks.with_inherited(node, kept, nodes)
            node = marks.with_memory(node, memories.get(unique_id) or {}, nodes)
            if node is not nodes[unique_id]:
                changed[unique_id] = node
        return {**nodes, **changed} if changed else nodes

    def _kept_marks(self, table: str) -> dict[str, list[str]] | None:
        """Return the marks stored in a snapshot's table. None without a table or marks."""
        if not tables.exists(session.get(), table):
            return None
        text = tables.load(session.get(), table).properties().get(MARKS)
        return json.loads(text) if text else None


def _collected(told: Iterable[str]) -> str:
    told = list(dict.fromkeys(told))
    return f"what the model has collected: {', '.join(told)}" if told else ""
