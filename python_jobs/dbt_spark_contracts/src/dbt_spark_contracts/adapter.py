"""dbt-spark's adapter, with `submission_method: session` for Python models.

The name is that of dbt-spark's pull request 1063, so that this can go when upstream has it.
"""

from contextlib import contextmanager

from dbt.adapters import spark
from dbt.adapters.base.impl import ConstraintSupport
from dbt.adapters.base.meta import available
from dbt.adapters.spark.connections import SparkConnectionMethod
from dbt_common.contracts.constraints import ConstraintType
from dbt_common.exceptions import DbtRuntimeError
from py4j.protocol import Py4JJavaError
from pyspark.errors import PythonException

from dbt_spark_contracts import dbt_internals, session
from dbt_spark_contracts.errors import explain
from dbt_spark_contracts.spark_plan import never_null


class SessionConnectionManager(spark.SparkConnectionManager):
    """Waits for the session that the plugin starts, where dbt-spark would start its own."""

    @classmethod
    def open(cls, connection):
        if connection.credentials.method == SparkConnectionMethod.SESSION:
            session.get()
            dbt_internals.write_seeds_as_they_are()
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
