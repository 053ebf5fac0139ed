"""The tables: Iceberg's in a catalog of Spark's, each with an entry in Glue.

As in AWS, a table is what Glue says: one whose entry dbt-athena has deleted is no longer there.
"""

import json
from collections.abc import Callable
from contextlib import contextmanager

from botocore.exceptions import ClientError
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from tests.support.athena_double.bucket import Bucket
from tests.support.athena_double.errors import NotInTheDouble, QueryFailed
from tests.support.athena_double.types import glue_type
from tests.support.athena_double.udfs import UDFS

CATALOG = "athena"

# As strict as Trino is: no cast that fails in silence, no alias beside itself.
STRICT = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.lateralColumnAlias.enableImplicitResolution": "false",
    "spark.sql.groupByAliases": "false",
    # Each query is another, and its rows are few: compiling it takes longer than running it.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


class Tables:
    """The Iceberg tables of the catalog `athena` of a Spark session, and Glue's entries of them."""

    def __init__(self, spark, glue, bucket: Bucket, state: Callable[[], object]) -> None:
        self.spark = spark
        self.glue = glue
        self.bucket = bucket
        # Another object whenever dbt-athena has changed something in Glue or S3; the last one seen.
        self._state = state
        self._seen: object = None
        self._iceberg = _open_catalog(spark)
        for name, (function, returns) in UDFS.items():
            spark.udf.register(name, function, returns)
        # Which metadata file Glue's entry of a table names.
        self._entered: dict[tuple[str, str], str] = {}

    @contextmanager
    def strictly(self):
        """Let Spark be as strict as Trino is. Raises QueryFailed for its errors, in its words."""
        for name, value in STRICT.items():
            self.spark.conf.set(name, value)
        try:
            yield
        except (PySparkException, Py4JError) as error:
            # Without Java's stacks.
            said = [line for line in str(error).splitlines() if not line.startswith("\t")]
            raise QueryFailed("SPARK", "\n".join(said)) from error
        finally:
            for name in STRICT:
                self.spark.conf.unset(name)

    def create_schema(self, name: str) -> None:
        """`create schema if not exists`."""
        try:
            self.glue.create_database(DatabaseInput={"Name": name})
        except ClientError as error:
            if error.response["Error"]["Code"] != "AlreadyExistsException":
                raise
        self.spark.sql(f"create namespace if not exists {CATALOG}.`{name}`")

    def rename(self, table: tuple[str, str], to: tuple[str, str]) -> None:
        """`alter table … rename to …`. Raises QueryFailed if Glue does not know the table."""
        self.entry(*table)
        self._iceberg.renameTable(self._id(table), self._id(to))

    def entry(self, schema: str, name: str) -> dict:
        """Glue's entry of a table. Raises QueryFailed if there is none."""
        try:
            return self.glue.get_table(DatabaseName=schema, Name=name)["Table"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "EntityNotFoundException":
                raise
        raise QueryFailed(
            "TABLE_NOT_FOUND", f"Table 'awsdatacatalog.{schema}.{name}' does not exist"
        )

    def columns(self, schema: str, name: str) -> dict[str, object]:
        """An Iceberg table's columns: its name and Iceberg type, as JSON, of each."""
        return {field["name"]: field["type"] for field in self._schema((schema, name))["fields"]}

    def pull(self) -> None:
        """Let go of the tables that dbt-athena has deleted, by way of Glue and S3."""
        state = self._state()
        if state is self._seen:
            return
        self.bucket.pull()
        for table, metadata in list(self._entered.items()):
            try:
                parameters = self.entry(*table)["Parameters"]
            except QueryFailed:
                self._iceberg.dropTable(self._id(table), False)
                del self._entered[table]
                continue
            if parameters.get("metadata_location") != metadata:
                raise NotInTheDouble(f"a table that is changed in Glue: {'.'.join(table)}")
        self._seen = state

    def push(self) -> None:
        """Tell Glue and S3 of the tables that Spark has made, changed or dropped."""
        self.bucket.push()
        there = self._tables()
        for table in self._entered.keys() - there:
            self.glue.delete_table(DatabaseName=table[0], Name=table[1])
            del self._entered[table]
        for table in there:
            known = self._entered.get(table)
            # dbt-athena deletes a table's files first, and then its entry.
            if known and not self.bucket.path(known).exists():
                continue
            if known != (metadata := self._metadata(table)):
                self._enter(table, metadata)
                self._entered[table] = metadata

    def _enter(self, table: tuple[str, str], metadata: str) -> None:
        """Make or change Glue's entry of a table; what dbt-athena has added to it stays."""
        schema, name = table
        is_new = table not in self._entered
        before = {} if is_new else self.entry(schema, name)
        columns_before = before.get("StorageDescriptor", {}).get("Columns", [])
        known = {column["Name"]: column for column in columns_before}
        columns = []
        for field in self._schema(table)["fields"]:
            parameters = {
                "iceberg.field.id": str(field["id"]),
                "iceberg.field.optional": str(not field["required"]).lower(),
                "iceberg.field.current": "true",
            }
            column = known.get(field["name"], {})
            kept = column.get("Parameters", {})
            columns.append(
                {
                    **column,
                    "Name": field["name"],
                    "Type": glue_type(field["type"]),
                    "Parameters": kept | parameters,
                }
            )
        entry = {
            "Name": name,
            "Description": before.get("Description", ""),
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {
                **before.get("Parameters", {}),
                "table_type": "ICEBERG",
                "metadata_location": metadata,
            },
            "PartitionKeys": [],
            "StorageDescriptor": {
                "Columns": columns,
                "Location": self._load(table).location().rstrip("/"),
            },
        }
        put = self.glue.create_table if is_new else self.glue.update_table
        put(DatabaseName=schema, TableInput=entry)

    def last_summary(self, schema: str, name: str) -> dict[str, str]:
        """What Iceberg says of the last write to a table; empty if there was none."""
        snapshot = self._load((schema, name)).currentSnapshot()
        return dict(snapshot.summary()) if snapshot else {}

    def _tables(self) -> set[tuple[str, str]]:
        return {
            (table.namespace().toString(), table.name())
            for namespace in self._iceberg.listNamespaces()
            for table in self._iceberg.listTables(namespace)
        }

    def _load(self, table: tuple[str, str]):
        return self._iceberg.loadTable(self._id(table))

    def _metadata(self, table: tuple[str, str]) -> str:
        return self._load(table).operations().current().metadataFileLocation()

    def _schema(self, table: tuple[str, str]) -> dict:
        parser = self.spark._jvm.org.apache.iceberg.SchemaParser
        return json.loads(parser.toJson(self._load(table).schema()))

    def _id(self, table: tuple[str, str]):
        return self.spark._jvm.org.apache.iceberg.catalog.TableIdentifier.parse(".".join(table))


def spark_name(schema: str, name: str) -> str:
    """A table's name in Spark's SQL."""
    return f"{CATALOG}.`{schema}`.`{name}`"


def _open_catalog(spark):
    """Iceberg's catalog in memory, which can rename a table, with its files in the bucket."""
    name = f"spark.sql.catalog.{CATALOG}"
    for option, value in {
        "": "org.apache.iceberg.spark.SparkCatalog",
        ".catalog-impl": "org.apache.iceberg.inmemory.InMemoryCatalog",
        # Tables come and go by way of Glue.
        ".cache-enabled": "false",
    }.items():
        spark.conf.set(name + option, value)
    spark.sql(f"use {CATALOG}")
    jvm = spark._jvm
    catalog = jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergCatalog(
        spark._jsparkSession, CATALOG
    )
    # It would keep the files in memory, too, and has no setting for that. Where they are,
    # test_nothing_is_left_over looks.
    files = catalog.getClass().getDeclaredField("io")
    files.setAccessible(True)
    hadoop = spark._jsc.hadoopConfiguration()
    files.set(catalog, jvm.org.apache.iceberg.hadoop.HadoopFileIO(hadoop))
    return catalog
