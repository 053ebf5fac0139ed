"""dbt's connections to the one session of the process. A statement is a `session.sql`."""

import os
import threading
import time
from contextlib import contextmanager, suppress
from typing import Any, cast

from dbt.adapters import spark
from dbt.adapters.contracts.connection import Connection, ConnectionState
from dbt.adapters.spark.connections import SparkConnectionMethod
from dbt.adapters.spark.session import SessionConnectionWrapper
from dbt_common.exceptions import DbtRuntimeError
from py4j.protocol import Py4JJavaError
from pyspark.errors import IllegalArgumentException, PySparkException, PythonException
from pyspark.sql import DataFrame
from pyspark.sql.types import (
    ArrayType,
    DataType,
    MapType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from dbt_spark_contracts.errors import explain, plainly
from dbt_spark_contracts.spark import session


class SessionConnectionManager(spark.SparkConnectionManager):
    """Opens connections to the plugin's session. dbt-spark would start its own."""

    @classmethod
    def open(cls, connection: Connection) -> Connection:
        if connection.credentials.method != SparkConnectionMethod.SESSION:
            return super().open(connection)
        if connection.state != ConnectionState.OPEN:
            context = session.get().sparkContext
            # With `spark.scheduler.mode: FAIR` in the profile, each dbt thread gets its share.
            context.setLocalProperty("spark.scheduler.pool", threading.current_thread().name)
            # `cancel` stops everything that this thread runs from here on: pyspark has one Java
            # thread per Python thread. It is a tag because a model may set a job group of its own.
            context.addJobTag(_tag(threading.get_ident()))
            context.setInterruptOnCancel(True)
            connection.handle = SessionConnectionWrapper(cast(Any, SessionConnection()))
            connection.state = ConnectionState.OPEN
        return connection

    def cancel_open(self) -> list[str]:
        """Cancel what all other threads run, and return the names of their connections.

        dbt's own method would open a connection that was never opened, in this thread.
        """
        this_connection = self.get_if_exists()
        with self.lock:
            others = [
                (thread, connection)
                for (_, thread), connection in cast(Any, self.thread_connections.items())
                if connection is not this_connection and connection.state == ConnectionState.OPEN
            ]
        for thread, connection in others:
            _cancel_until_closed(connection, _tag(thread))
        return [connection.name for _, connection in others if connection.name]

    def last_frame(self) -> DataFrame:
        """Return the DataFrame of the last statement of this thread's connection."""
        return self.get_thread_connection().handle.handle.last_cursor.frame

    def fetched_frames(self) -> list[DataFrame]:
        """Return the DataFrames whose rows this thread's connection has fetched for its node."""
        return self.get_thread_connection().handle.handle.fetched

    @contextmanager
    def exception_handler(self, sql):
        # dbt-spark turns every error into a DbtRuntimeError, including the type of a
        # DbtRuntimeError.
        with super().exception_handler(sql):
            try:
                with explained():
                    yield
            except DbtRuntimeError as error:
                raise RuntimeError(error.msg) from error

    @classmethod
    def get_result_from_cursor(cls, cursor, limit):
        # Spark runs a query when its rows are fetched, which dbt does outside of the handler.
        with explained():
            return super().get_result_from_cursor(cursor, limit)


def _tag(thread: int) -> str:
    """Return the tag of the Spark jobs that a thread starts on a dbt connection."""
    return f"dbt-{os.getpid()}-{thread}"


def _cancel_until_closed(connection: Connection, tag: str) -> None:
    """Cancel the Spark jobs with this tag until dbt closes the connection.

    Otherwise a thread that is between two jobs would start the next one.
    """
    handle = connection.handle
    context = session.get().sparkContext
    context.cancelJobsWithTag(tag)

    def cancel_more() -> None:
        with suppress(Exception):  # at the very end, Java may be gone
            while connection.state == ConnectionState.OPEN and connection.handle is handle:
                context.cancelJobsWithTag(tag)
                time.sleep(0.1)

    threading.Thread(target=cancel_more, name="dbt-cancel", daemon=True).start()


class SessionConnection:
    """The interface of a connection that dbt-spark's wrapper uses."""

    def __init__(self) -> None:
        self.last_cursor: SessionCursor | None = None
        self.fetched: list[DataFrame] = []

    def cursor(self) -> "SessionCursor":
        self.last_cursor = SessionCursor(self.fetched)
        return self.last_cursor


class SessionCursor:
    """The interface of a cursor that dbt-spark's wrapper uses, for the DataFrame of one statement.

    dbt-spark's own cursor applies all settings of the profile before each statement. That costs a
    call to Java per setting, and undoes what a hook has `set`.
    """

    def __init__(self, fetched: list[DataFrame]) -> None:
        self.frame: DataFrame | None = None
        self._fetched = fetched

    @property
    def description(self) -> list[tuple]:
        """The columns as in DB-API. Only name, type and nullability are known."""
        return [
            (field.name, field.dataType.simpleString(), None, None, None, None, field.nullable)
            for field in (self.frame.schema.fields if self.frame else ())
        ]

    def execute(self, sql: str, *parameters) -> None:
        """Run a statement. A query is only analyzed.

        Raises:
            DbtRuntimeError: For what Spark cannot parse or analyze.
        """
        with explained():
            self.frame = session.get().sql(sql % parameters if parameters else sql)

    def fetchall(self) -> list:
        """Return the rows of the query."""
        if self.frame is None:
            return []
        self._fetched.append(self.frame)
        return _in_session_time(self.frame).collect()

    def close(self) -> None:
        """Forget the statement."""
        self.frame = None


def _in_session_time(frame: DataFrame) -> DataFrame:
    """Return the DataFrame with its timestamps in the time zone of the session.

    pyspark converts a timestamp to the time zone of its process, which differs between machines.
    """
    fields = frame.schema.fields
    wanted = [_without_zone(field.dataType) for field in fields]
    if wanted == [field.dataType for field in fields]:
        return frame
    # Two columns of a query may have one name.
    numbered = frame.toDF(*(f"dbt_{number}" for number in range(len(fields))))
    columns = []
    for number, (field, kind) in enumerate(zip(fields, wanted, strict=True)):
        column = numbered[number]
        if kind != field.dataType:
            column = column.cast(kind)
        columns.append(column.alias(field.name))
    return numbered.select(columns)


def _without_zone(kind: DataType) -> DataType:
    """Return the type with timestamp_ntz for each timestamp in it."""
    if isinstance(kind, TimestampType):
        return TimestampNTZType()
    if isinstance(kind, ArrayType):
        return ArrayType(_without_zone(kind.elementType), kind.containsNull)
    if isinstance(kind, MapType):
        value = _without_zone(kind.valueType)
        return MapType(_without_zone(kind.keyType), value, kind.valueContainsNull)
    if isinstance(kind, StructType):
        fields = [(each.name, _without_zone(each.dataType), each.nullable) for each in kind]
        return StructType([StructField(*field) for field in fields])
    return kind


@contextmanager
def explained():
    """Turn Spark's errors into a DbtRuntimeError without Java's stack.

    Ctrl-C cancels what this thread runs in Spark.

    Raises:
        DbtRuntimeError: For what Spark raises.
    """
    try:
        yield
    except KeyboardInterrupt:
        session.get().sparkContext.cancelJobsWithTag(_tag(threading.get_ident()))
        raise
    except (Py4JJavaError, PythonException, IllegalArgumentException) as error:
        raise DbtRuntimeError(plainly(explain(error))) from error
    except PySparkException as error:  # Spark's message, with the place in the SQL
        raise DbtRuntimeError(plainly(str(error))) from error
