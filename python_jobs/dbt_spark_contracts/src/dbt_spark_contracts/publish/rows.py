"""Appends a few rows to an Iceberg table with Iceberg's Java writer, without a Spark job."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from dbt_spark_contracts import tables
from dbt_spark_contracts.compat.pyspark import java_classes

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def append(
    session: "SparkSession",
    table: str,
    rows: Iterable[Mapping[str, Any]],
    summary: Mapping[str, str],
) -> None:
    """Append rows to main of an unpartitioned table, as one file in one commit.

    Args:
        session: The session.
        table: The table.
        rows: The rows: texts, numbers and times by column name. Without rows, nothing is done.
        summary: Properties to add to the snapshot's summary.
    """
    rows = list(rows)
    if not rows:
        return
    loaded = tables.load_anew(session, table)
    jvm = java_classes(session)
    iceberg = jvm.org.apache.iceberg
    parquet = iceberg.FileFormat.PARQUET
    file = iceberg.io.OutputFileFactory.builderFor(loaded, 1, 1).format(parquet).build()
    factory = iceberg.data.GenericAppenderFactory(loaded.schema(), loaded.spec())
    writer = factory.newDataWriter(file.newOutputFile(), parquet, None)
    try:
        for record in _records(jvm, loaded.schema(), rows):
            writer.write(record)
    finally:
        writer.close()
    commit = loaded.newAppend().appendFile(writer.toDataFile())
    for name, value in summary.items():
        commit.set(name, value)
    commit.commit()
    tables.forget(session, table)


def _records(jvm: Any, schema: Any, rows: list[Mapping[str, Any]]) -> Iterable[Any]:
    """Yield the rows as Iceberg records. They are passed to Java in one call, as JSON."""
    jackson = jvm.com.fasterxml.jackson.databind
    mapper = jackson.ObjectMapper().enable(jackson.DeserializationFeature.USE_LONG_FOR_INTS)
    values = [
        {name: value for name, value in row.items() if not isinstance(value, datetime)}
        for row in rows
    ]
    maps = mapper.readValue(json.dumps(values), jvm.java.lang.Class.forName("java.util.List"))
    empty = jvm.org.apache.iceberg.data.GenericRecord.create(schema)
    to_java = jvm.org.apache.iceberg.util.DateTimeUtil.timestamptzFromMicros
    times: dict[datetime, Any] = {}
    for row, values_of_row in zip(rows, maps, strict=True):
        record = empty.copy(values_of_row)
        for name, value in row.items():
            if isinstance(value, datetime):
                if value not in times:
                    times[value] = to_java(micros(value))
                record.setField(name, times[value])
        yield record


def micros(time: datetime) -> int:
    """Return a time that has a zone as microseconds since 1970."""
    whole = int(time.replace(microsecond=0).astimezone(timezone.utc).timestamp())
    return whole * 1_000_000 + time.microsecond
