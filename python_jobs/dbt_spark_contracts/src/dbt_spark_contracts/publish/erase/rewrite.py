"""Takes the value out of an Iceberg table: rows, branches and tags, snapshots, files.

Each step does only what is left to do, so a command that was killed is continued by the next one.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from dbt_spark_contracts import schemas, tables
from dbt_spark_contracts.compat.pyspark import java_classes, java_session
from dbt_spark_contracts.publish import tell
from dbt_spark_contracts.publish.erase.asked import Asked
from dbt_spark_contracts.publish.erase.conditions import change, used
from dbt_spark_contracts.publish.erase.look import Look

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def rewrite_rows(session: "SparkSession", found: Look, keys: Iterable[str], asked: Asked) -> None:
    """Take the value out of the rows that readers see.

    Args:
        session: The session, which writes to main.
        found: What was found in the table.
        keys: The names of the columns that identify a row.
        asked: What is to be erased.
    """
    table = found.table
    wanted = change(schemas.fields(session, table), keys, found.held_now())
    tell.change(f"{table}: erase")
    if wanted.deleted:
        _run(session, f"delete from {table} where {wanted.deleted}", asked)
    if wanted.updated:
        values = ", ".join(f"{column} = {value}" for column, value in wanted.values.items())
        _run(session, f"update {table} set {values} where {wanted.updated}", asked)
    tables.forget(session, table)


def rewrite_files(session: "SparkSession", table: str) -> None:
    """Write each file of a table again, without the rows that merge-on-read only hides."""
    tell.change(f"{table}: write all of its files again")
    session.table(table).writeTo(table).overwrite(F.lit(True))
    tables.forget(session, table)


def _run(session: "SparkSession", statement: str, asked: Asked) -> None:
    session.sql(statement, args=used(asked, statement))


def forget_removed(session: "SparkSession", table: str) -> None:
    """Write the manifests again, without the files that were removed.

    Until then they keep the least and the greatest value of each column of such a file.
    """
    tell.change(f"{table}: write its manifests again")
    loaded = tables.load_anew(session, table)
    loaded.rewriteManifests().clusterBy(_one_cluster(session)).commit()
    tables.forget(session, table)


def _one_cluster(session: "SparkSession") -> Any:
    """Return a Java function with one result: all files belong together."""
    java = java_classes(session).java
    function = java.lang.Class.forName("java.util.function.Function")
    return java.beans.EventHandler.create(function, "all", "toString")


def expire(session: "SparkSession", table: str, ids: Iterable[int]) -> None:
    """Expire these snapshots, and delete the files that no other one needs."""
    tell.change(f"{table}: expire the snapshots that hold it")
    actions = java_classes(session).org.apache.iceberg.spark.actions.SparkActions
    action = actions.get(java_session(session)).expireSnapshots(tables.load_anew(session, table))
    for id in ids:
        action = action.expireSnapshotId(id)
    # Without a time, Iceberg expires all that are older than five days.
    action.expireOlderThan(0).execute()
    tables.forget(session, table)


def delete_unnamed(session: "SparkSession", table: str, files: Iterable[str]) -> None:
    """Delete data files that hold the value and that no snapshot names."""
    io = tables.load_anew(session, table).io()
    for file in files:
        if io.newInputFile(file).exists():
            tell.change(f"{table}: delete a file that no snapshot names")
            io.deleteFile(file)
