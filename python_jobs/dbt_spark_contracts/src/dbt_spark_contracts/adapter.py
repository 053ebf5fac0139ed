"""dbt-spark's adapter, with `submission_method: session` for Python models.

The name is that of dbt-spark's pull request 1063, so that this can go when upstream has it.
"""

from functools import partial
from pathlib import Path
from typing import ClassVar

from dbt.adapters import spark
from dbt.adapters.base.impl import ConstraintSupport
from dbt.adapters.base.meta import available
from dbt.adapters.contracts.relation import RelationType
from dbt.adapters.spark.connections import SparkConnectionMethod
from dbt.adapters.spark.impl import (
    SCHEMA_NOT_FOUND_MESSAGES,
    TABLE_OR_VIEW_NOT_FOUND_MESSAGES,
)
from dbt_common.contracts.constraints import ConstraintType
from dbt_common.exceptions import CompilationError, DbtRuntimeError

from dbt_spark_contracts import (
    batches,
    file_sources,
    materializations,
    spark_plan,
    tables,
)
from dbt_spark_contracts.compat.dbt_adapters import AdapterInsides
from dbt_spark_contracts.compat.dbt_core import Refused, find_materialization
from dbt_spark_contracts.connection import SessionConnectionManager, explained
from dbt_spark_contracts.contract.adapter_methods import ContractMethods
from dbt_spark_contracts.contract.relation import ContractColumn, ContractRelation
from dbt_spark_contracts.data_tests.adapter_methods import DataTestMethods
from dbt_spark_contracts.dbt_docs import facts
from dbt_spark_contracts.increments.adapter_methods import IncrementMethods
from dbt_spark_contracts.invocation import Invocation
from dbt_spark_contracts.lineage.adapter_methods import LineageMethods
from dbt_spark_contracts.publish import tell
from dbt_spark_contracts.publish.adapter_methods import PublishMethods
from dbt_spark_contracts.schemas import quoted
from dbt_spark_contracts.spark import session
from dbt_spark_contracts.unguarded import UnguardedMethods


class SparkAdapter(
    ContractMethods,
    DataTestMethods,
    IncrementMethods,
    LineageMethods,
    PublishMethods,
    UnguardedMethods,
    AdapterInsides,
    spark.SparkAdapter,
):
    """The adapter `spark`, which runs Python models in the dbt process.

    dbt finds an adapter's module by the name of its class, so the class must have this name.
    """

    ConnectionManager = SessionConnectionManager
    connections: SessionConnectionManager
    Relation = ContractRelation
    Column = ContractColumn
    # The materializations enforce these two, so removing one breaks a promise. The others have no
    # effect on a table.
    CONSTRAINT_SUPPORT: ClassVar = {
        ConstraintType.not_null: ConstraintSupport.ENFORCED,
        ConstraintType.check: ConstraintSupport.ENFORCED,
        ConstraintType.unique: ConstraintSupport.NOT_SUPPORTED,
        ConstraintType.primary_key: ConstraintSupport.NOT_SUPPORTED,
        ConstraintType.foreign_key: ConstraintSupport.NOT_SUPPORTED,
    }

    def __init__(self, config, mp_context) -> None:
        super().__init__(config, mp_context)
        self.invocation = Invocation.of(config)

    def quote(self, identifier: str) -> str:
        return quoted(str(identifier))  # dbt also quotes a database that is none

    def execute(self, sql, auto_begin=False, fetch=False, limit=None):
        if isinstance(sql, Refused):
            raise sql.error
        return super().execute(sql, auto_begin, fetch, limit)

    @property
    def default_python_submission_method(self) -> str:
        if self.config.credentials.method == SparkConnectionMethod.SESSION:
            return "session"
        return super().default_python_submission_method

    @property
    def python_submission_helpers(self):
        from dbt_spark_contracts.python_models.job import Asked, SessionPythonJobHelper

        made = self.invocation
        asked = Asked(made.notes, made.affected, made.differences)
        helper = partial(SessionPythonJobHelper, asked)
        return {**super().python_submission_helpers, "session": helper}

    def _open(self) -> None:
        """Open this thread's connection. dbt would open it with the first statement."""
        _ = self.connections.get_thread_connection().handle

    # dbt's questions about the warehouse. dbt-spark runs a statement for each, and one per table.

    def list_schemas(self, database):
        return tables.list_schemas(session.get())

    def check_schema_exists(self, database, schema):
        return schema in self.list_schemas(database)

    def list_relations_without_caching(self, schema_relation):
        try:
            with explained():
                schema = tables.spelled(*schema_relation.schema.split("."))
                names = tables.list_iceberg_tables(session.get(), schema)
        except DbtRuntimeError as error:
            if any(message in error.msg for message in SCHEMA_NOT_FOUND_MESSAGES):
                return []
            raise
        if names is None:
            return super().list_relations_without_caching(schema_relation)
        return [
            self.Relation.create(
                schema=schema_relation.schema,
                identifier=name,
                type=RelationType.Table,
                is_iceberg=True,
            ).quote(identifier="." in name)
            for name in names
        ]

    def get_columns_in_relation(self, relation):
        try:
            fields = self.get_schema(relation)
        except DbtRuntimeError as error:
            if any(message in error.msg for message in TABLE_OR_VIEW_NOT_FOUND_MESSAGES):
                return []  # as dbt-spark has it
            raise
        return [
            self.Column(
                table_database=None,
                table_schema=relation.schema,
                table_name=relation.name,
                table_type=relation.type,
                column=field["name"],
                column_index=index,
                dtype=field["data_type"],
            )
            for index, field in enumerate(fields)
        ]

    def calculate_freshness(self, source, loaded_at_field, filter, macro_resolver=None):
        # A source of files is not a table. (The macro resolver is the manifest.)
        for node in getattr(macro_resolver, "sources", {}).values():
            if node.relation_name == str(source) and (location := file_sources.location(node)):
                self._open()
                newest = file_sources.newest(
                    session.get(), str(source), location, loaded_at_field, filter
                )
                return None, self.freshness_of(newest)
        return super().calculate_freshness(source, loaded_at_field, filter, macro_resolver)

    def get_catalog(self, relation_configs, used_schemas):
        nodes = list(relation_configs)
        catalog, exceptions = super().get_catalog(nodes, used_schemas)
        rows: list[dict] = []
        for node in filter(file_sources.location, nodes):
            try:
                rows += file_sources.catalog(session.get(), node)
            except DbtRuntimeError as error:
                exceptions.append(error)
        catalog = facts.with_facts(session.get(), catalog, rows)
        return catalog, exceptions

    def pre_model_hook(self, config):
        """Refuse a model, seed or snapshot that no step would check. dbt calls this before each.

        Args:
            config: The object that macros know by this name.
        """
        # A Python model or a seed can then be cancelled before its first statement, too.
        self._open()
        manifest = self.get_macro_resolver()
        macro = find_materialization(manifest, self.config.project_name, config.model)
        is_audited = self.should_audit(manifest.flat_graph)
        materializations.check(config.model, macro, manifest.macros, is_audited)
        return super().pre_model_hook(config)

    # Staged models: the methods for macros/materializations and macros/contract.

    @available
    def require_query(self, sql: str) -> None:
        """Check that a text is one query. Spark would run any other statement before all checks.

        Raises:
            DbtRuntimeError: If it is not. The message is Spark's.
        """
        with explained():
            spark_plan.require_query(session.get(), sql.strip().removesuffix(";"))

    @available
    def stage_query(self, view) -> None:
        """Create a temporary view of this thread's last query.

        The view keeps the analyzed plan. A view created by SQL keeps the text, which Spark analyzes
        again for each use.
        """
        with explained():
            self.connections.last_frame().createOrReplaceTempView(str(view))

    @available
    def run_python(self, model: dict, code: str) -> None:
        """Run the compiled code of a Python model.

        dbt's `statement` does this too, but only in the body of a materialization.
        """
        self.submit_python_job(model, code)

    @available
    def checkpoint(self, view) -> None:
        """Compute the staged view once, and replace it by a reliable checkpoint.

        If `dbt.affected` has found that nothing has changed, there is nothing to compute.
        """
        affected = self.invocation.affected.get(str(view))
        if affected and affected.is_nothing:
            return
        tell.change(f"checkpoint {view}")
        self.invocation.run.ownership.checkpoints.use()
        with explained():
            self.invocation.rows_of(str(view)).checkpoint().createOrReplaceTempView(str(view))
        self.invocation.staged.pop(str(view))

    @available
    def create_view(self, relation, sql: str) -> None:
        """Create a view.

        Raises:
            DbtRuntimeError: If the catalog does not support views. The message is one line.
        """
        tell.change(f"{relation}: create the view\n{sql}")
        with explained():
            session.get().sql(sql)

    @available
    def drop_stage(self, view) -> None:
        """Drop a staged view, if it exists."""
        for by_view in (self.invocation.staged, self.invocation.notes):
            by_view.pop(str(view), None)
        if affected := self.invocation.affected.pop(str(view), None):
            affected.close()
        session.get().catalog.dropTempView(str(view))

    @available
    def keep_note(self, view) -> None:
        """Store the note of the staged model in its table, which has just been written."""
        if str(view) in self.invocation.notes:
            with explained():
                self.invocation.notes[str(view)].write()

    @available.parse_list
    def get_schema(self, relation) -> list[dict]:
        """Return the columns of a table or staged view, in order: see `spark_plan.columns`."""
        with explained():
            return spark_plan.columns(session.get().table(str(relation)))

    # Incremental strategies: the methods for macros/materializations/strategies.sql.

    @available
    def overwrite_partitions(self, relation, view) -> None:
        """Replace the table's partitions that the staged view has rows of, by name, in one commit.

        A table without partitions is replaced as a whole. A view without rows replaces nothing. It
        uses Spark's own command: the meaning of `insert overwrite` depends on a setting of the
        session.

        Raises:
            DbtRuntimeError: Before anything is written, if some files have an older partition spec.
                They would not be replaced.
        """
        table = str(relation)
        with explained():
            if tables.has_older_partitioning(session.get(), table, self.get_branch()):
                raise DbtRuntimeError(
                    f"{table} has files of an earlier partitioning, which insert_overwrite would "
                    "not replace: rewrite them (`call system.rewrite_data_files(table => "
                    f"'{table}', options => map('rewrite-all', 'true'))`), or run --full-refresh."
                )
        tell.change(f"{table}: overwrite the partitions of {view}")
        with explained():
            tables.overwrite_partitions(session.get(), table, str(view))

    @available
    def limit_to_batch(self, view, event_time: str, batch: dict, is_filtered: bool) -> str:
        """Limit a staged view to the rows in its batch's window. Return the window as SQL.

        See batches.limited for the other rows.
        """
        with explained():
            frame = self.invocation.rows_of(str(view))
            window = batches.window(frame, event_time, batch)
            kept = batches.limited(frame, event_time, window, is_filtered)
            kept.createOrReplaceTempView(str(view))
        self.invocation.staged.pop(str(view))
        return window

    @available
    def overwrite_window(self, relation, view, window: str) -> None:
        """Replace the table's rows of a window with the staged ones, in one commit.

        The window comes from limit_to_batch. Whole files are replaced where possible, else single
        rows.
        """
        table = str(relation)
        with explained():
            is_whole = tables.whole_files(session.get(), table, self.get_branch(), window)
        if not is_whole:
            self.settle(view)
        tell.change(f"{table}: overwrite {window}")
        with explained():
            tables.overwrite_window(session.get(), table, str(view), window, is_whole)

    @available
    def settle(self, view) -> None:
        """Compute a non-deterministic staged view once (uuid(), rand(), …).

        A merge reads its source twice, and Spark refuses a non-deterministic one.
        """
        with explained():
            is_settled = spark_plan.is_deterministic(self.invocation.rows_of(str(view)))
        if not is_settled:
            self.checkpoint(view)

    @available
    def skips_batches(self, relation, begin, batch: dict) -> bool:
        """Return whether the table was never written and this is not the first batch."""
        is_first = batches.instant(batch["event_time_start"]) <= batches.instant(begin)
        with explained():
            table = str(relation)
            return not is_first and not tables.was_written(session.get(), table, self.get_branch())

    @available
    def require_lines(self, model: dict) -> None:
        """Check that a seed's file is not empty. dbt would fail with a traceback.

        Raises:
            CompilationError: If it is. The message is one line.
        """
        path = Path(model["root_path"], model["original_file_path"])
        with path.open(encoding="utf-8-sig", errors="replace") as lines:
            if not any(line.strip() for line in lines):
                raise CompilationError(
                    f"{model['name']}: the file {model['original_file_path']} is empty: write a "
                    "line with the names of its columns."
                )

    @available.parse_none
    def stage_seed(self, view, rows, types: dict[str, str]) -> None:
        """Create a temporary view of a seed's rows, with columns of these types."""
        with explained():
            tables.stage_seed(session.get(), str(view), rows, types)
