"""dbt's connections to the one session of the process: a statement is `session.sql`, no more."""

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

from dbt_spark_contracts.errors import explain, plainly
from dbt_spark_contracts.spark import session


class SessionConnectionManager(spark.SparkConnectionManager):
    """Opens connections to the session that the plugin starts, where dbt-spark starts its own."""

    @classmethod
    def open(cls, connection: Connection) -> Connection:
        if connection.credentials.method != SparkConnectionMethod.SESSION:
            return super().open(connection)
        if connection.state != ConnectionState.OPEN:
            context = session.get().sparkContext
            # Where the profile says `spark.scheduler.mode: FAIR`, each thread of dbt has its share.
            context.setLocalProperty("spark.scheduler.pool", threading.current_thread().name)
            # What this thread runs from here on, `cancel` stops: pyspark has a thread of Java's for
            # each of Python's. A tag, because a model may set a job group of its own.
            context.addJobTag(_tag(threading.get_ident()))
            context.setInterruptOnCancel(True)
            connection.handle = SessionConnectionWrapper(cast(Any, SessionConnection()))
            connection.state = ConnectionState.OPEN
        return connection

    def cancel_open(self) -> list[str]:
        """Cancel what all threads but this one run, and say which connections those are.

        dbt's own opens a connection that was never opened, in this thread.
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
        """The DataFrame of the last statement of this thread's connection."""
        return self.get_thread_connection().handle.handle.last_cursor.frame

    def fetched_frames(self) -> list[DataFrame]:
        """The DataFrames whose rows this thread's connection has fetched for its node."""
        return self.get_thread_connection().handle.handle.fetched

    @contextmanager
    def exception_handler(self, sql):
        # dbt-spark makes a DbtRuntimeError of all that an error says, a DbtRuntimeError's kind too.
        with super().exception_handler(sql):
            try:
                with explained():
                    yield
            except DbtRuntimeError as error:
                raise RuntimeError(error.msg) from error

    @classmethod
    def get_result_from_cursor(cls, cursor, limit):
        # Spark runs a query when its rows are asked for, which dbt does outside of the handler.
        with explained():
            return super().get_result_from_cursor(cursor, limit)


def _tag(thread: int) -> str:
    """The tag of the Spark jobs that a thread starts on a connection of dbt's."""
    return f"dbt-{os.getpid()}-{thread}"


def _cancel_until_closed(connection: Connection, tag: str) -> None:
    """Cancel the Spark jobs with that tag, and those that come, until dbt closes the connection.

    A thread that is between two jobs would else start the next.
    """
    handle = connection.handle
    context = session.get().sparkContext
    context.cancelJobsWithTag(tag)

    def cancel_more() -> None:
        with suppress(Exception):  # at the very end, there is no Java any more
            while connection.state == ConnectionState.OPEN and connection.handle is handle:
                context.cancelJobsWithTag(tag)
                time.sleep(0.1)

    threading.Thread(target=cancel_more, name="dbt-cancel", daemon=True).start()


class SessionConnection:
    """What dbt-spark's wrapper asks of a connection."""

    def __init__(self) -> None:
        self.last_cursor: SessionCursor | None = None
        self.fetched: list[DataFrame] = []

    def cursor(self) -> "SessionCursor":
        self.last_cursor = SessionCursor(self.fetched)
        return self.last_cursor


class SessionCursor:
    """What dbt-spark's wrapper asks of a cursor, on the DataFrame of one statement.

    dbt-spark's own cursor applies every setting of the profile again before each statement. That
    is a call to Java for each, and it undoes what a hook has `set`.
    """

    def __init__(self, fetched: list[DataFrame]) -> None:
        self.frame: DataFrame | None = None
        self._fetched = fetched

    @property
    def description(self) -> list[tuple]:
        """By DB-API: name, type, five facts of which only whether it may be null is known."""
        return [
            (field.name, field.dataType.simpleString(), None, None, None, None, field.nullable)
            for field in (self.frame.schema.fields if self.frame else ())
        ]

    def execute(self, sql: str, *parameters) -> None:
        """Run a statement; of a query, the analysis only.

        Raises DbtRuntimeError for what Spark cannot parse or analyze.
        """
        with explained():
            self.frame = session.get().sql(sql % parameters if parameters else sql)

    def fetchall(self) -> list:
        """The rows of the query."""
        if self.frame is None:
            return []
        self._fetched.append(self.frame)
        return self.frame.collect()

    def close(self) -> None:
        """Forget the statement."""
        self.frame = None


@contextmanager
def explained():
    """Raises DbtRuntimeError, without Java's stack, for what Spark raises.

    Ctrl-C stops what this thread runs in Spark.
    """
    try:
        yield
    except KeyboardInterrupt:
        session.get().sparkContext.cancelJobsWithTag(_tag(threading.get_ident()))
        raise
    except (Py4JJavaError, PythonException, IllegalArgumentException) as error:
        raise DbtRuntimeError(plainly(explain(error))) from error
    except PySparkException as error:  # its words, with the place in the SQL
        raise DbtRuntimeError(plainly(str(error))) from error
