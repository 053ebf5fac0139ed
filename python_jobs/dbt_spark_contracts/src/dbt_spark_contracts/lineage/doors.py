"""What macros/contract/column_origins.sql asks of the adapter."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dbt.adapters.base.meta import AdapterMeta, available
from dbt.events.types import JinjaLogWarning
from dbt_common.events.functions import warn_or_error
from pyspark.sql import DataFrame

from dbt_spark_contracts import tables
from dbt_spark_contracts.connection import SessionConnectionManager, explained
from dbt_spark_contracts.errors import PromiseBroken
from dbt_spark_contracts.lineage import marks, watch
from dbt_spark_contracts.lineage.model import trace
from dbt_spark_contracts.lineage.project import Project
from dbt_spark_contracts.publish import pending, tell
from dbt_spark_contracts.spark import session

if TYPE_CHECKING:
    from dbt_spark_contracts.invocation import Invocation

# The property of a snapshot's table that says which of its columns are marked, and how.
MARKS = "dbt.column_marks"


class LineageDoors(metaclass=AdapterMeta):
    """A part of the adapter: a staged model, held against the marks of columns."""

    # dbt's, and the adapter's.
    get_macro_resolver: Callable[[], Any]
    connections: SessionConnectionManager
    get_branch: Callable[[], str | None]

    invocation: "Invocation"

    @available
    def check_origins(
        self, view: Any, model: dict, graph: dict, volatile: list[str], internal: list[str]
    ) -> dict[str, list[str]]:
        """Hold a staged model against the marks of columns, and keep where its columns come from.

        Costs analysis, no Spark job.

        Args:
            view: The staged view.
            model: dbt's `model`.
            graph: dbt's `graph`.
            volatile: Texts that differ in each run.
            internal: Which columns of the view are none of the table's.

        Returns:
            The marks that a snapshot's columns take over.

        Raises:
            PromiseBroken: With a line for each column that hands on what it may not, or of
                which that cannot be told.
        """
        project = self.project_of(graph)
        entry, nodes = self._trace(project, str(view), model, volatile)
        for name in internal:
            entry["columns"].pop(name, None)
        if model["resource_type"] != "test":
            self.invocation.column_lineage.record(model["unique_id"], entry)
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
            told = "This model hands on columns that have to stay where they are."
            raise PromiseBroken("leak", lines, told, ways_out)
        return marks.inherited(model, entry, nodes)

    @available
    def keep_marks(self, relation: Any, found: dict[str, list[str]]) -> None:
        """Let a snapshot's table say which of its columns are marked: its yml names none of them.

        Those that the source has no more keep their marks.
        """
        table = str(relation)
        kept = self._kept_marks(table) or {}
        new = json.dumps({**kept, **found}, sort_keys=True)
        if {**kept, **found} != kept:
            tell.change(f"{table}: keep the marks {new}")
            with explained():
                tables.set_property(session.get(), table, MARKS, new)

    def project_of(self, graph: dict) -> Project:
        """What dbt's graph tells, which is the same for all models of a command."""
        known = self.invocation.project
        if known is None or known.graph is not graph:
            nodes = getattr(self.get_macro_resolver(), "nodes", {})
            deferred = {
                node.defer_relation.relation_name: unique_id
                for unique_id, node in nodes.items()
                if getattr(node, "defer_relation", None) and node.defer_relation.relation_name
            }
            known = Project(graph, tables.current_catalog(session.get()), deferred)
            self.invocation.project = known
        return known

    def _trace(
        self, project: Project, view: str, model: dict, volatile: list[str]
    ) -> tuple[dict, dict[str, dict]]:
        """The model's column lineage, and all nodes with the marks that snapshots took over."""

        def traced(frame: DataFrame, collected: str = "") -> dict:
            entry = trace(frame, model, project.names, volatile, watch.files, collected)
            if branch := self.get_branch():
                entry = pending.with_names_to_come(entry, branch)
            marks.hand_on(entry, self.invocation.column_lineage.nodes, project.nodes)
            return entry

        collected = watch.take(view)
        frames = [*collected.frames, *self.connections.fetched_frames()]
        entries = [traced(frame) for frame in frames]
        told = ["rows of an RDD"] if collected.has_rdds else []
        for entry in entries:
            told += marks.told_by(model, entry, self._with_snapshots(project, model, entry))
        by_hand = f"what the model has collected: {', '.join(dict.fromkeys(told))}" if told else ""
        entry = traced(self.invocation.rows_of(view), by_hand)
        return entry, self._with_snapshots(project, model, entry)

    def _with_snapshots(self, project: Project, model: dict, entry: dict) -> dict[str, dict]:
        nodes = project.nodes
        read = {origin["node"] for of in entry["columns"].values() for origin in of["origins"]}
        snapshots = {}
        for unique_id in read.union(model["depends_on"]["nodes"]):
            node = nodes.get(unique_id)
            if node and node["resource_type"] == marks.SNAPSHOT:
                kept = self._kept_marks(node["relation_name"])
                snapshots[unique_id] = marks.with_inherited(node, kept, nodes)
        return {**nodes, **snapshots} if snapshots else nodes

    def _kept_marks(self, table: str) -> dict[str, list[str]] | None:
        """The marks that the table of a snapshot says; None if it is not there, or says none."""
        if not tables.exists(session.get(), table):
            return None
        text = tables.load(session.get(), table).properties().get(MARKS)
        return json.loads(text) if text else None
