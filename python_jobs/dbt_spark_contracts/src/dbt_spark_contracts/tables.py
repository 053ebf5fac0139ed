"""Tables through the Java API of Spark and Iceberg, where SQL cannot do it or costs a statement."""

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
from dbt_spark_contracts.errors import condition_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Spark's catalog class in which every table is an Iceberg table.
ICEBERG_CATALOG = "org.apache.iceberg.spark.SparkCatalog"

# Spark's error class for a missing table.
NO_TABLE = "TABLE_OR_VIEW_NOT_FOUND"

# A marker for rows that overwrite_window deletes.
_IS_OLD = "dbt_is_old"


def list_schemas(session: "SparkSession") -> list[str]:
    """Return the schemas of the session's current catalog."""
    return [".".join(name) for name in pyspark.current_catalog(session).listNamespaces()]


def list_iceberg_tables(session: "SparkSession", schema: str) -> list[str] | None:
    """Return the table names in a schema of the current catalog. No table is loaded.

    Returns:
        The names, or None if the catalog may contain other tables than Iceberg's. For a missing
        schema, Iceberg raises its own error.
    """
    catalog = pyspark.current_catalog(session)
    if catalog.getClass().getName() != ICEBERG_CATALOG:
        return None
    namespace = located(session, f"{schema}.any")[1].namespace()
    return [identifier.name() for identifier in catalog.listTables(namespace)]


def load(session: "SparkSession", table: str):
    """Load a table as an object of Iceberg's Java API.

    Raises:
        AnalysisException: If it does not exist.
    """
    return iceberg.load_table(session, table)


def current_catalog(session: "SparkSession") -> str:
    """Return the name of the session's current catalog. In SQL that would be a Spark job."""
    return pyspark.active(session).catalog.currentCatalog()


def use_catalog(session: "SparkSession", name: str) -> None:
    """Make this catalog the session's current one."""
    pyspark.active(session).catalog.setCurrentCatalog(name)


def find(session: "SparkSession", table: str):
    """Load a table as an object of Iceberg's Java API. None if it does not exist."""
    try:
        return load(session, table)
    except AnalysisException as error:
        if condition_of(error) == NO_TABLE:
            return None
        raise


def exists(session: "SparkSession", table: str) -> bool:
    """Return whether the table exists."""
    return find(session, table) is not None


def load_anew(session: "SparkSession", table: str):
    """Load a table in its current state, including changes by other processes."""
    forget(session, table)
    return load(session, table)


def forget(session: "SparkSession", table: str) -> None:
    """Make the session read the table's metadata again at the next use.

    Iceberg's catalog caches them for a while and does not see commits of others.
    """
    catalog, identifier = located(session, table)
    catalog.invalidateTable(identifier)


def newest_snapshot(session: "SparkSession", table: str, branch: str | None) -> int | None:
    """Return the snapshot id of the table's branch, or of main, or None if there is none."""
    snapshot = tip(load(session, table), branch)
    return snapshot.snapshotId() if snapshot else None


def spellings(name: str) -> Iterator[str]:
    """Yield the SQL names of a table that Iceberg may have reported without quotes.

    A dot may separate two names, or be part of one.
    """
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1) if len(parts) > 1 else [0]:
        yield spelled(*parts[:end], ".".join(parts[end:]))


def spelled(*parts: str) -> str:
    """Return a name as dbt writes it, quoted only where Spark needs it."""
    return ".".join(
        part if re.fullmatch(r"[A-Za-z_]\w*", part, re.ASCII) else f"`{part.replace('`', '``')}`"
        for part in parts
    )


def named(session: "SparkSession", name: str) -> str | None:
    """Return the SQL name of a table that Iceberg reported without quotes, or None."""
    return next((found for found in spellings(name) if exists(session, found)), None)


def overwrite_partitions(session: "SparkSession", table: str, view: str) -> None:
    """Replace the table's partitions that the view has rows of, by name, in one commit."""
    _rows_for(session, table, view).writeTo(table).overwritePartitions()


def _rows_for(session: "SparkSession", table: str, view: str):
    """Return the view's rows without unknown columns: dbt's `on_schema_change: ignore`."""
    known = {column.name().lower() for column in load(session, table).schema().columns()}
    rows = session.table(view)
    return rows.select(*(spelled(name) for name in rows.columns if name.lower() in known))


def overwrite_window(
    session: "SparkSession", table: str, view: str, window: str, is_whole_files: bool
) -> None:
    """Replace the rows in a window of one column with the view's, by name, in one commit.

    Args:
        session: The session.
        table: The table.
        view: The view. All of its rows are in the window.
        window: `column >= … and column < …`.
        is_whole_files: The result of `whole_files`. If false, the view must be deterministic.
    """
    if is_whole_files:
        _rows_for(session, table, view).writeTo(table).overwrite(F.expr(window))
        return
    # One statement, so that no reader sees an empty window. The rows to delete are matched by the
    # column: the source has each of its values in the window once.
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


def replace_all(session: "SparkSession", table: str, view: str) -> None:
    """Replace all rows of the table with the view's, by name, in one commit."""
    _rows_for(session, table, view).writeTo(table).overwrite(F.lit(True))


def replace_keys(
    session: "SparkSession", table: str, view: str, keys: list[str], replaced: "DataFrame | None"
) -> None:
    """Replace the rows of some keys with the view's, by name, in one commit.

    One statement, so that no reader sees a state in between. A null equals a null.

    Args:
        session: The session.
        table: The table.
        view: The view. Its rows must be deterministic.
        keys: The key's columns, as SQL. A key may have several rows.
        replaced: Keys whose rows go, besides those of the view.
    """
    new = _rows_for(session, table, view)
    old = new.select(*keys)
    if replaced is not None:
        old = old.unionByName(replaced.select(*keys))
    old = old.distinct().withColumn(_IS_OLD, F.lit(True))
    names = [spelled(name) for name in new.columns]
    source = new.withColumn(_IS_OLD, F.lit(False)).unionByName(old, allowMissingColumns=True)
    source.createOrReplaceTempView(f"{view}_and_old")
    same = " and ".join(f"old.{key} <=> new.{key}" for key in keys)
    try:
        session.sql(f"""
            merge into {table} as old using {view}_and_old as new
            on new.`{_IS_OLD}` and {same}
            when matched then delete
            when not matched and not new.`{_IS_OLD}` then insert ({", ".join(names)})
            values ({", ".join(f"new.{name}" for name in names)})
        """)
    finally:
        session.catalog.dropTempView(f"{view}_and_old")


def was_written(session: "SparkSession", table: str, branch: str | None) -> bool:
    """Return whether Spark has ever written to the table's branch, or else to main.

    A first run creates its table before the first write, and may fail in between.
    """
    snapshot = head(load(session, table), branch)
    summary = pyspark.fetched(session, snapshot.summary()) if snapshot else {}
    return "spark.app.id" in summary or summary.get("total-records", "0") != "0"


def has_older_partitioning(session: "SparkSession", table: str, branch: str | None) -> bool:
    """Return whether the branch, or else main, has files with an older partition spec."""
    loaded = load(session, table)
    snapshot = head(loaded, branch) if loaded.specs().size() > 1 else None
    manifests = snapshot.dataManifests(loaded.io()) if snapshot else ()
    return any(manifest.partitionSpecId() != loaded.spec().specId() for manifest in manifests)


def whole_files(session: "SparkSession", table: str, branch: str | None, condition: str) -> bool:
    """Return whether the rows of the condition are whole files, which a commit can replace.

    Each file must be certain by its partition or its column bounds. Reads metadata only.
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
    """Return the snapshot of the branch or of main. None if it does not exist."""
    return loaded.snapshot(branch or "main")


def head(loaded, branch: str | None):
    """Return the newest snapshot of a branch, or of main if the branch does not exist."""
    return (branch and loaded.snapshot(branch)) or loaded.currentSnapshot()


def located(session: "SparkSession", table: str) -> tuple:
    """Return the table's catalog and identifier, as Spark's Java objects."""
    return iceberg.catalog_and_identifier(session, table)


def stage_seed(
    session: "SparkSession", view: str, rows: Iterable[Iterable], types: dict[str, str]
) -> None:
    """Register the rows of a seed's file as the temporary view `view`.

    A cell that does not fit its column's type raises an error when the view is read. Spark's cast
    would return null. A column without empty cells is provably not null.

    Args:
        session: The session.
        view: The name of the view.
        rows: The values of each row, in the order of `types`.
        types: The Spark type of each column, by name.
    """
    texts = seed_texts(rows)
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


def seed_texts(rows: Iterable[Iterable]) -> list[tuple[str | None, ...]]:
    """Return the cells of a seed's file as texts, for SQL casts."""
    return [tuple(map(_as_text, row)) for row in rows]


def _as_text(value) -> str | None:
    """Return a value as text for an SQL cast."""
    if value is None:
        return None
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date):  # a datetime too
        return value.isoformat()
    return str(value)
