"""Tables by Spark's and Iceberg's Java interfaces: what SQL cannot do, or needs a statement for."""

import re
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from pyspark.errors import AnalysisException
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from dbt_spark_contracts.compat import iceberg, pyspark
from dbt_spark_contracts.compat.pyspark import java_classes

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Spark's catalog in which every table is one of Iceberg's.
ICEBERG_CATALOG = "org.apache.iceberg.spark.SparkCatalog"

# Spark's error class of a table that is not there.
NO_TABLE = "TABLE_OR_VIEW_NOT_FOUND"

# Of a row that overwrite_window deletes.
_IS_OLD = "dbt_is_old"


def list_schemas(session: "SparkSession") -> list[str]:
    """The schemas of the session's current catalog."""
    return [".".join(name) for name in pyspark.current_catalog(session).listNamespaces()]


def list_iceberg_tables(session: "SparkSession", schema: str) -> list[str] | None:
    """The names of the tables in a schema of the session's current catalog. No table is loaded.

    None if the catalog has tables other than Iceberg's too. Raises Iceberg's error if there is no
    such schema.
    """
    catalog = pyspark.current_catalog(session)
    if catalog.getClass().getName() != ICEBERG_CATALOG:
        return None
    namespace = located(session, f"{schema}.any")[1].namespace()
    return [identifier.name() for identifier in catalog.listTables(namespace)]


def load(session: "SparkSession", table: str):
    """A table as Iceberg's Java API has it. Raises pyspark's AnalysisException if it is none."""
    return iceberg.load_table(session, table)


def current_catalog(session: "SparkSession") -> str:
    """The name of the session's current catalog. (`select current_catalog()` is a Spark job.)"""
    return pyspark.active(session).catalog.currentCatalog()


def use_catalog(session: "SparkSession", name: str) -> None:
    """Let this be the session's current catalog."""
    pyspark.active(session).catalog.setCurrentCatalog(name)


def exists(session: "SparkSession", table: str) -> bool:
    """Is there a table of that name?"""
    try:
        load(session, table)
    except AnalysisException as error:
        if error.getErrorClass() == NO_TABLE:
            return False
        raise
    return True


def load_anew(session: "SparkSession", table: str):
    """The same as `load`, as it is now: another process may have changed it."""
    forget(session, table)
    return load(session, table)


def forget(session: "SparkSession", table: str) -> None:
    """Let the session read the table's metadata when it next needs it.

    Iceberg's catalog keeps what it has read for a while, and does not see what others commit.
    """
    catalog, identifier = located(session, table)
    catalog.invalidateTable(identifier)


def newest_snapshot(session: "SparkSession", table: str, branch: str | None) -> int | None:
    """The id of the snapshot that the table's branch is at, or main; None if there is none."""
    snapshot = tip(load(session, table), branch)
    return snapshot.snapshotId() if snapshot else None


def spellings(name: str) -> Iterator[str]:
    """The names for SQL that a table may have of which Iceberg tells without quotes.

    A dot in it may part two names, or be one of a table's own.
    """
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1) if len(parts) > 1 else [0]:
        yield spelled(*parts[:end], ".".join(parts[end:]))


def spelled(*parts: str) -> str:
    """A name as dbt writes it, with quotes only where Spark needs them."""
    return ".".join(
        part if re.fullmatch(r"[A-Za-z_]\w*", part, re.ASCII) else f"`{part.replace('`', '``')}`"
        for part in parts
    )


def named(session: "SparkSession", name: str) -> str | None:
    """A table's name for SQL, of one that Iceberg told of without quotes; None if there is none."""
    return next((found for found in spellings(name) if exists(session, found)), None)


def overwrite_partitions(session: "SparkSession", table: str, view: str) -> None:
    """Replace the partitions of the table that the view has rows of, by name, in one commit."""
    _rows_for(session, table, view).writeTo(table).overwritePartitions()


def _rows_for(session: "SparkSession", table: str, view: str):
    """The view's rows, without columns that the table has not: dbt's `on_schema_change: ignore`."""
    known = {column.name().lower() for column in load(session, table).schema().columns()}
    rows = session.table(view)
    return rows.select(*(spelled(name) for name in rows.columns if name.lower() in known))


def overwrite_window(
    session: "SparkSession", table: str, view: str, window: str, is_whole_files: bool
) -> None:
    """Replace the table's rows of a window of one column by the view's, by name, in one commit.

    Args:
        session: The session.
        table: The table.
        view: The view, whose rows are all of the window.
        window: `column >= … and column < …`.
        is_whole_files: What `whole_files` says; without, the view has to be deterministic.
    """
    if is_whole_files:
        _rows_for(session, table, view).writeTo(table).overwrite(F.expr(window))
        return
    # One statement, so that no reader sees the window empty. The rows to delete are found by the
    # column itself: each of its values in the window is a row of the source, once.
    column = window.split(" >= ", 1)[0]
    old = session.table(table).where(window).selectExpr(column, f"true as `{_IS_OLD}`").distinct()
    new = _rows_for(session, table, view)
    names = [spelled(name) for name in new.columns]
    source = new.withColumn(_IS_OLD, F.lit(False)).unionByName(old, allowMissingColumns=True)
    source.createOrReplaceTempView(f"{view}_and_old")
    within = window.replace(column, f"old.{column}")
    try:
        session.sql(f"""
            merge into {table} as old using {view}_and_old as new
            on new.`{_IS_OLD}` and old.{column} = new.{column} and {within}
            when matched then delete
            when not matched and not new.`{_IS_OLD}` then insert ({", ".join(names)})
            values ({", ".join(f"new.{name}" for name in names)})
        """)
    finally:
        session.catalog.dropTempView(f"{view}_and_old")


def was_written(session: "SparkSession", table: str, branch: str | None) -> bool:
    """Has Spark ever written to the table, as the branch has it, or else main?

    A first run creates its table before it writes to it, and may fail in between.
    """
    snapshot = head(load(session, table), branch)
    summary = pyspark.fetched(session, snapshot.summary()) if snapshot else {}
    return "spark.app.id" in summary or summary.get("total-records", "0") != "0"


def has_older_partitioning(session: "SparkSession", table: str, branch: str | None) -> bool:
    """Has the table, on the branch or else on main, files of a partitioning before its own?"""
    loaded = load(session, table)
    snapshot = head(loaded, branch) if loaded.specs().size() > 1 else None
    manifests = snapshot.dataManifests(loaded.io()) if snapshot else ()
    return any(manifest.partitionSpecId() != loaded.spec().specId() for manifest in manifests)


def whole_files(session: "SparkSession", table: str, branch: str | None, condition: str) -> bool:
    """Are the table's rows of that condition whole files, which a commit can replace?

    Of each file it has to be certain, by its partition or by its columns' bounds. Reads metadata.
    """
    loaded = load(session, table)
    expressions = java_classes(session).org.apache.iceberg.expressions
    expression = iceberg.expression(session, table, condition)
    if expressions.ExpressionUtil.selectsPartitions(expression, loaded, False):
        return True
    snapshot = head(loaded, branch)
    if snapshot is None:
        return True
    scan = loaded.newScan().caseSensitive(False).useSnapshot(snapshot.snapshotId())
    tasks = scan.filter(expression).includeColumnStats().planFiles()
    evaluator = expressions.StrictMetricsEvaluator(loaded.schema(), expression, False)
    files = tasks.iterator()
    try:
        while files.hasNext():
            if not evaluator.eval(files.next().file()):
                return False
        return True
    finally:
        tasks.close()


def set_property(session: "SparkSession", table: str, name: str, value: str) -> None:
    """Set a property of a table."""
    load(session, table).updateProperties().set(name, value).commit()


def tip(loaded, branch: str | None):
    """The snapshot that the branch of Iceberg's table is at, or main; None if it has no such."""
    ref = loaded.refs().get(branch or "main")
    return loaded.snapshot(ref.snapshotId()) if ref else None


def head(loaded, branch: str | None):
    """The newest snapshot of a branch of Iceberg's table, or of main where it has none such."""
    ref = loaded.refs().get(branch) if branch else None
    return loaded.snapshot(ref.snapshotId()) if ref else loaded.currentSnapshot()


def located(session: "SparkSession", table: str) -> tuple:
    """The table's catalog and identifier, Spark's Java objects."""
    return iceberg.catalog_and_identifier(session, table)


def stage_seed(
    session: "SparkSession", view: str, rows: Iterable[Iterable], types: dict[str, str]
) -> None:
    """Let the temporary view `view` stand for the rows that dbt has read from a seed's file.

    A cell that cannot have its column's type stops what reads the view, where Spark's cast would
    make it null. A column without an empty cell is proven to hold no null.

    In: each row's values, in the order of `types`: column name to Spark type.
    """
    texts = [tuple(map(_as_text, row)) for row in rows]
    numbered = [f"c{number}" for number in range(len(types))]
    frame = session.createDataFrame(
        texts, StructType([StructField(name, StringType()) for name in numbered])
    )
    cells = []
    for text, (name, data_type) in zip(numbered, types.items(), strict=True):
        cast = F.col(text).cast(data_type)
        way_out = f"` is no {data_type}: correct the file, or the seed's column_types"
        wrong = F.concat(F.lit(f"In the column {name}, `"), F.col(text), F.lit(way_out))
        is_wrong = F.col(text).isNotNull() & cast.isNull()
        cells.append(F.when(is_wrong, F.raise_error(wrong)).otherwise(cast).alias(name))
    typed = frame.select(*cells)
    for number, name in enumerate(types):
        if all(row[number] is not None for row in texts):
            typed = typed.where(F.col(spelled(name)).isNotNull())
    typed.createOrReplaceTempView(view)


def _as_text(value) -> str | None:
    """A value as a SQL cast takes it."""
    if value is None:
        return None
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date):  # a datetime too
        return value.isoformat()
    return str(value)
