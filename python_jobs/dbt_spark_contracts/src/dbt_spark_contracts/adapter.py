"""dbt-spark's adapter, with `submission_method: session` for Python models.

The name is that of dbt-spark's pull request 1063, so that this can go when upstream has it.
"""

from contextlib import contextmanager
from datetime import datetime, timezone

from dbt.adapters import spark
from dbt.adapters.base.impl import ConstraintSupport
from dbt.adapters.base.meta import available
from dbt.adapters.spark.connections import SparkConnectionMethod
from dbt_common.contracts.constraints import ConstraintType
from dbt_common.exceptions import DbtRuntimeError
from py4j.protocol import Py4JJavaError
from pyspark.errors import PythonException

from dbt_spark_contracts import file_sources, process, tables
from dbt_spark_contracts.errors import explain
from dbt_spark_contracts.lineage import marks
from dbt_spark_contracts.lineage.artifact import ColumnLineage
from dbt_spark_contracts.lineage.model import table_names, trace
from dbt_spark_contracts.spark import session
from dbt_spark_contracts.spark_plan import never_null


class SessionConnectionManager(spark.SparkConnectionManager):
    """Waits for the session that the plugin starts, where dbt-spark would start its own."""

    @classmethod
    def open(cls, connection):
        if connection.credentials.method == SparkConnectionMethod.SESSION:
            session.get()
        return super().open(connection)

    @contextmanager
    def exception_handler(self, sql):
        # dbt-spark makes a DbtRuntimeError of all that an error says, a DbtRuntimeError's kind too.
        with super().exception_handler(sql):
            try:
                with _explained():
                    yield
            except DbtRuntimeError as error:
                raise RuntimeError(error.msg) from error

    @classmethod
    def get_result_from_cursor(cls, cursor, limit):
        # Spark runs a query when its rows are asked for, which dbt does outside of the handler.
        with _explained():
            return super().get_result_from_cursor(cursor, limit)


@contextmanager
def _explained():
    """Raises DbtRuntimeError, without Java's stack, for what Spark raises when it runs a query."""
    try:
        yield
    except (Py4JJavaError, PythonException) as error:
        raise DbtRuntimeError(explain(error)) from error


class SparkAdapter(spark.SparkAdapter):
    """The adapter `spark`, which runs Python models in the dbt process.

    dbt finds the module of an adapter by the name of its class, so that has to be this one.
    """

    ConnectionManager = SessionConnectionManager
    # The materializations refuse nulls, so to take a not-null away breaks a promise.
    CONSTRAINT_SUPPORT = spark.SparkAdapter.CONSTRAINT_SUPPORT | {
        ConstraintType.not_null: ConstraintSupport.ENFORCED
    }

    @property
    def default_python_submission_method(self) -> str:
        if self.config.credentials.method == SparkConnectionMethod.SESSION:
            return "session"
        return super().default_python_submission_method

    @property
    def python_submission_helpers(self):
        from dbt_spark_contracts.python_models import SessionPythonJobHelper

        return {**super().python_submission_helpers, "session": SessionPythonJobHelper}

    def list_relations_without_caching(self, schema_relation):
        # dbt-spark takes a namespace that is not there for an empty one, but not with Iceberg.
        try:
            return super().list_relations_without_caching(schema_relation)
        except DbtRuntimeError as error:
            if "NoSuchNamespaceException" in str(error):
                return []
            raise

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

    @available.parse_list
    def get_schema(self, relation) -> list[dict]:
        """The columns of a table or staged view, in order, as Spark knows them.

        Each is a dict of name, data_type (Spark's simple string, in full), nullable and comment:
        what `describe` cuts short (a long struct) or does not tell (nullability).
        """
        return [
            {
                "name": field.name,
                "data_type": field.dataType.simpleString(),
                "nullable": field.nullable,
                "comment": field.metadata.get("comment") or "",
            }
            for field in session.get().table(str(relation)).schema.fields
        ]

    @available.parse_list
    def get_never_null(self, view, columns: list[str]) -> list[str]:
        """Those of a staged view's `columns` that Spark can prove to hold no null.

        A column of a table that is not null there, a `where … is not null`, a coalesce with a
        literal and a count are such proofs. Costs analysis, no Spark job.
        """
        return never_null(session.get().table(str(view)), columns)

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
        catalog = spark.sql("select current_catalog()").first()[0]
        frame = spark.table(str(view))
        entry = trace(frame, model, table_names(nodes, catalog), volatile)
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
    def use_branch(self, name: str | None) -> None:
        """From here on write to the branch `name` of each table, and read it; none: main."""
        session.use_branch(name)

    @available
    def get_branch(self) -> str | None:
        """The branch that the run writes to; none if that is main."""
        return session.branch()

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
