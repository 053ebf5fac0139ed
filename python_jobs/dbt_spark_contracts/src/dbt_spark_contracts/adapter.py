"""dbt-spark's adapter, with `submission_method: session` for Python models.

The name is that of dbt-spark's pull request 1063, so that this can go when upstream has it.
"""

from datetime import datetime, timezone
from typing import ClassVar

from dbt.adapters import spark
from dbt.adapters.base.impl import ConstraintSupport
from dbt.adapters.base.meta import available
from dbt.adapters.contracts.relation import RelationType
from dbt.adapters.events.types import CodeExecution
from dbt.adapters.spark.connections import SparkConnectionMethod
from dbt.adapters.spark.impl import (
    SCHEMA_NOT_FOUND_MESSAGES,
    TABLE_OR_VIEW_NOT_FOUND_MESSAGES,
)
from dbt_common.contracts.constraints import ConstraintType
from dbt_common.events.functions import fire_event
from dbt_common.exceptions import DbtRuntimeError

from dbt_spark_contracts import branches, file_sources, process, spark_plan, tables
from dbt_spark_contracts.connection import SessionConnectionManager, explained
from dbt_spark_contracts.contract import pending
from dbt_spark_contracts.contract.doors import ContractDoors
from dbt_spark_contracts.contract.relation import ContractColumn, ContractRelation
from dbt_spark_contracts.lineage import marks
from dbt_spark_contracts.lineage.artifact import ColumnLineage
from dbt_spark_contracts.lineage.model import table_names, trace
from dbt_spark_contracts.nodes import touched_tables
from dbt_spark_contracts.schemas import quoted
from dbt_spark_contracts.spark import session


class SparkAdapter(ContractDoors, spark.SparkAdapter):
    """The adapter `spark`, which runs Python models in the dbt process.

    dbt finds the module of an adapter by the name of its class, so that has to be this one.
    """

    ConnectionManager = SessionConnectionManager
    Relation = ContractRelation
    Column = ContractColumn
    # The materializations refuse nulls, and rows that break a check: to take one away breaks a
    # promise. Of the others nothing reaches a table.
    CONSTRAINT_SUPPORT: ClassVar = {
        ConstraintType.not_null: ConstraintSupport.ENFORCED,
        ConstraintType.check: ConstraintSupport.ENFORCED,
        ConstraintType.unique: ConstraintSupport.NOT_SUPPORTED,
        ConstraintType.primary_key: ConstraintSupport.NOT_SUPPORTED,
        ConstraintType.foreign_key: ConstraintSupport.NOT_SUPPORTED,
    }

    def quote(self, identifier: str) -> str:
        return quoted(str(identifier))  # dbt also quotes a database that is none

    @property
    def default_python_submission_method(self) -> str:
        if self.config.credentials.method == SparkConnectionMethod.SESSION:
            return "session"
        return super().default_python_submission_method

    @property
    def python_submission_helpers(self):
        from dbt_spark_contracts.python_models import SessionPythonJobHelper

        return {**super().python_submission_helpers, "session": SessionPythonJobHelper}

    # What dbt asks of the warehouse. dbt-spark has a statement for it, and one more for each table.

    def list_schemas(self, database):
        return tables.list_schemas(session.get())

    def check_schema_exists(self, database, schema):
        return schema in self.list_schemas(database)

    def list_relations_without_caching(self, schema_relation):
        try:
            with explained():
                names = tables.list_iceberg_tables(session.get(), schema_relation.schema)
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
            )
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
        # A source of files is no table that could be asked. (The macro resolver is the manifest.)
        for node in getattr(macro_resolver, "sources", {}).values():
            if node.relation_name == str(source) and (location := file_sources.location(node)):
                newest = file_sources.newest(
                    session.get(), str(source), location, loaded_at_field, filter
                )
                return None, self._create_freshness_response(newest, datetime.now(timezone.utc))
        return super().calculate_freshness(source, loaded_at_field, filter, macro_resolver)

    def get_catalog(self, relation_configs, used_schemas):
        nodes = list(relation_configs)
        catalog, exceptions = super().get_catalog(nodes, used_schemas)
        rows = []
        for node in filter(file_sources.location, nodes):
            try:
                rows += file_sources.catalog(session.get(), node)
            except DbtRuntimeError as error:
                exceptions.append(error)
        if rows:
            import agate
            from dbt_common.clients.agate_helper import DEFAULT_TYPE_TESTER, merge_tables

            files = agate.Table.from_object(rows, column_types=DEFAULT_TYPE_TESTER)
            catalog = merge_tables([catalog, files])
        return catalog, exceptions

    # A staged model: what macros/materializations and macros/contract ask.

    @available
    def require_query(self, sql: str) -> None:
        """Raises DbtRuntimeError, in Spark's words, if `sql` is anything but one query.

        What is no query (an `insert`, a `drop`) Spark would run at once, before any check.
        """
        with explained():
            spark_plan.require_query(session.get(), sql.strip().removesuffix(";"))

    @available
    def stage_query(self, view) -> None:
        """Let the temporary view `view` stand for the rows of this thread's last query.

        The view keeps the analyzed plan. One made by SQL keeps the text, and Spark analyzes that
        again for each use.
        """
        with explained():
            self.connections.last_frame().createOrReplaceTempView(str(view))

    @available
    def drop_stage(self, view) -> None:
        """Drop a staged view, if it is there."""
        session.get().catalog.dropTempView(str(view))

    @available.parse_list
    def get_schema(self, relation) -> list[dict]:
        """The columns of a table or staged view, in order: see `spark_plan.columns`."""
        with explained():
            return spark_plan.columns(session.get().table(str(relation)))

    # Where columns come from: what macros/contract/column_origins.sql asks.

    # That of this command.
    column_lineage: ColumnLineage

    @available
    def trace_columns(self, view, model: dict, graph: dict, volatile: list[str]) -> dict:
        """Where the columns of a model that is staged as `view` come from; kept for
        column_lineage.json. Costs analysis, no Spark job.

        In: dbt's `model` and `graph`; texts that differ in each run. Out: an entry of that file.
        """
        spark = session.get()
        nodes = [*graph["nodes"].values(), *graph["sources"].values()]
        catalog = tables.current_catalog(spark)
        frame = spark.table(str(view))
        entry = trace(frame, model, table_names(nodes, catalog), volatile)
        if branch := self.get_branch():
            entry = pending.with_names_to_come(entry, branch)
        self.column_lineage.record(model["unique_id"], entry)
        return entry

    @available
    def find_leaks(self, model: dict, entry: dict, graph: dict) -> list[str]:
        """What the model hands on of marked columns and may not: a line each, see marks.leaks."""
        return marks.leaks(model, entry, {**graph["nodes"], **graph["sources"]})

    @available
    def find_untraced(self, model: dict, entry: dict, graph: dict) -> list[str]:
        """Its columns that may hide a marked one: a line each, see marks.untraced."""
        return marks.untraced(model, entry, {**graph["nodes"], **graph["sources"]})

    # Write-audit-publish: what macros/publish asks of the process.

    # The run that a `dbt retry` takes up.
    retried_run: dict | None = None

    @available
    def get_retried_run(self) -> dict | None:
        """The run that this `dbt retry` takes up, as dbt_internals.retried_run has it."""
        return self.retried_run

    @available
    def forget_tables(self, graph: dict, selected: list[str]) -> None:
        """Let this command see what others have done to the tables that it touches."""
        for name in touched_tables({**graph["nodes"], **graph["sources"]}, selected):
            tables.forget(session.get(), name)

    @available
    def begin_writes(self, branch: str, earlier: list[str]) -> None:
        """From here on write to the branch `branch` of each table, and read it.

        Args:
            branch: The branch.
            earlier: The tables that a run which is retried has written to it.
        """
        branches.watch_commits(session.get(), earlier)
        session.use_branch(branch)
        for table in earlier:
            self.resume_changes(table, branch)

    @available
    def end_writes(self) -> None:
        """From here on write to main, and read it."""
        session.use_branch(None)

    @available
    def get_written_tables(self) -> list[str]:
        """The tables that were written since begin_writes, and the earlier ones."""
        return branches.written(session.get())

    @available
    def get_branch(self) -> str | None:
        """The branch that the run writes to; none if that is main."""
        return session.branch()

    @available
    def open_to_branches(self, relation) -> None:
        """Let the run write to a branch of this table, if it does not write to main."""
        if self.get_branch():
            self._change(f"{relation}: open to branches", branches.open_to_branches, str(relation))

    @available
    def get_refs(self, names: list[str]) -> list[dict]:
        """Every branch and tag of the tables: see `branches.refs`."""
        with explained():
            return branches.refs(session.get(), names)

    @available
    def get_branch_states(self, branch: str, names: list[str]) -> list[dict]:
        """What publishing the branch would move: see `branches.states`."""
        with explained():
            return branches.states(session.get(), branch, names)

    @available
    def is_ahead(self, state: dict) -> bool:
        """Has the state's table not been written on main since its branch was begun?"""
        return branches.is_ahead(session.get(), state)

    @available
    def has_snapshot(self, table: str, snapshot_id: int) -> bool:
        """Has the table (still) a snapshot of that id?"""
        with explained():
            return tables.load(session.get(), table).snapshot(snapshot_id) is not None

    @available
    def fast_forward(self, table: str, branch: str) -> None:
        """Let the table's main be what the branch is."""
        self._change(
            f"{table}: fast-forward main to {branch}", branches.fast_forward, table, branch
        )

    @available
    def set_main(self, table: str, snapshot_id: int) -> None:
        """Let the table's main be one of its snapshots."""
        self._change(f"{table}: set main to {snapshot_id}", branches.set_main, table, snapshot_id)

    @available
    def drop_branch(self, table: str, branch: str) -> None:
        """Drop the table's branch, if it is there."""
        self._change(f"{table}: drop branch {branch}", branches.drop, table, branch)

    @available
    def has_table(self, table: str) -> bool:
        """Is there a table of that name?"""
        return tables.exists(session.get(), table)

    @available
    def append(self, table: str, query: str, facts: dict[str, str]) -> None:
        """Append a query's rows to a table, in one commit that tells the facts of itself."""
        self._change(f"{table}: append {query}", tables.append, table, query, facts)

    @available
    def get_last_commit(self, table: str) -> dict | None:
        """What the newest commit to a table tells of itself; none if there is none."""
        return tables.last_commit(session.get(), table)

    def _change(self, what: str, change, *arguments) -> None:
        """Change a table by Iceberg's API, and say so in dbt's log as of any code that runs."""
        name = self.connections.get_thread_connection().name
        fire_event(CodeExecution(conn_name=name, code_content=what))
        with explained():
            change(session.get(), *arguments)

    @available
    def name_run(self, name: str) -> dict:
        """Name this command: it keeps its checkpoints in a folder of that name.

        Out: that name (`run`), that folder (`checkpoints`), and which process this is: for
        `is_running` and `delete_checkpoints`, called in another one.
        """
        checkpoints = session.name_run(name)
        return {"run": name, "checkpoints": checkpoints, **process.this_process(session.get())}

    @available
    def is_this_process(self, other: dict) -> bool:
        """Is `other`, that name_run told of, this very process?"""
        return process.is_this_process(session.get(), other)

    @available
    def is_running(self, other: dict) -> bool:
        """Does `other`, that name_run told of in another process, still run?

        Not if it is this one, which runs one command at a time. One on another host is taken to.
        """
        return not self.is_this_process(other) and process.is_running(other)

    @available
    def is_on_this_host(self, other: dict) -> bool:
        """Is `other`, that name_run told of, a process of this host?"""
        return process.is_on_this_host(other)

    @available
    def get_lock_holder(self, table: str) -> dict | None:
        """Who has the build's lock, which is the table `table`, as it says; none if nobody has."""
        return session.lock_holder(table)

    @available
    def release_at_the_end(self, table: str) -> None:
        """Drop the table that is the build's lock when the command ends, if it is ours."""
        session.release_at_the_end(table)

    @available
    def delete_checkpoints(self, other: dict) -> None:
        """Delete the checkpoints of a process that name_run told of."""
        session.delete_folder(other["checkpoints"])

    @available
    def say_last(self, line: str) -> None:
        """Say `line` when the command ends, below all that dbt itself says."""
        session.say_last(line)

    @available.parse_none
    def remove_orphan_files(self, relation) -> int:
        """Delete the table's files that no snapshot knows, and say how many there were."""
        return tables.remove_orphan_files(session.get(), str(relation))

    @available.parse_none
    def stage_seed(self, view, rows, types: dict[str, str]) -> None:
        """Let the temporary view `view` stand for a seed's rows, as columns of `types`."""
        tables.stage_seed(session.get(), str(view), rows, types)
