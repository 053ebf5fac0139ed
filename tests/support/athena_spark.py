"""Answers the calls that dbt-athena makes to AWS for Python models, with the Spark of the tests.

It records the code that dbt-athena sends to StartCalculationExecution and runs it unmodified. The
Iceberg catalog's tables have locations, as in Glue. This is not Athena: Spark is newer, and only
the SQL that dbt-athena needs around a Python model is accepted. Any other call or statement is an
error.
"""

import re
import threading
import uuid
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from botocore.client import BaseClient
from botocore.exceptions import ClientError

CATALOG = "athena_spark"


class AthenaSpark:
    """The service and its tables.

    Attributes:
        code: The code that was sent for each model.
        names: The names that the code of each model has defined.
        errors: The error of each model that failed.
    """

    def __init__(self, spark, folder: Path) -> None:
        self.spark = spark
        self.environment = {
            "LAKEHOUSE_ATHENA_DATA": f"file://{folder}/warehouse/",
            "LAKEHOUSE_ATHENA_RESULTS": f"file://{folder}/results/",
            "LAKEHOUSE_ATHENA_CHECKPOINTS": f"file://{folder}/checkpoints",
        }
        self.code: dict[str, str] = {}
        self.names: dict[str, dict] = {}
        self.errors: dict[str, Exception] = {}
        self._failed: dict[str, bool] = {}
        # dbt has several threads, and Spark has only one current catalog.
        self._lock = threading.RLock()
        name = f"spark.sql.catalog.{CATALOG}"
        spark.conf.set(name, "org.apache.iceberg.spark.SparkCatalog")
        spark.conf.set(f"{name}.catalog-impl", "org.apache.iceberg.inmemory.InMemoryCatalog")
        spark.conf.set(f"{name}.warehouse", f"{folder}/warehouse")

    @contextmanager
    def current(self):
        """Make its catalog Spark's current catalog, as in Athena."""
        with self._lock:
            before = self.spark.sql("select current_catalog()").first()[0]
            self.spark.sql(f"use {CATALOG}")
            try:
                yield self.spark
            finally:
                self.spark.sql(f"use {before}")

    def make_table(self, name: str, query: str) -> None:
        """Create or replace a table from a query, where the models look for it."""
        with self.current() as spark:
            spark.sql(f"create namespace if not exists {name.split('.')[0]}")
            spark.sql(f"drop table if exists {name}")
            spark.sql(f"create table {name} using iceberg as {query}")

    def table(self, name: str):
        """Return a table's DataFrame, or None if the table does not exist."""
        names = self._tables(name.split(".")[0])
        return self.spark.table(f"{CATALOG}.{name}") if name.split(".")[1] in names else None

    def location(self, name: str) -> str:
        described = self.spark.sql(f"describe extended {CATALOG}.{name}").collect()
        return next(row.data_type for row in described if row.col_name == "Location")

    @contextmanager
    def answers(self):
        """Make boto3 call this service instead of AWS."""
        with patch.object(
            BaseClient, "_make_api_call", lambda client, name, asked: self(name, asked)
        ):
            yield self

    def __call__(self, operation: str, asked: dict) -> dict:
        return getattr(self, f"_{operation}")(**asked)

    def _GetCallerIdentity(self):
        return {"Account": "000000000000"}

    def _GetWorkGroup(self, WorkGroup):
        return {"WorkGroup": {"Name": WorkGroup}}

    def _GetDatabase(self, Name, CatalogId):
        self._require(Name in self._databases(), "GetDatabase")
        return {"Database": {"Name": Name}}

    def _GetDatabases(self):
        return {"DatabaseList": [{"Name": name} for name in self._databases()]}

    def _GetTables(self, DatabaseName, CatalogId):
        self._require(DatabaseName in self._databases(), "GetTables")
        tables = [self._described(DatabaseName, name) for name in self._tables(DatabaseName)]
        return {"TableList": tables}

    def _GetTable(self, CatalogId, DatabaseName, Name):
        self._require(Name in self._tables(DatabaseName), "GetTable")
        return {"Table": self._described(DatabaseName, Name)}

    def _GetTableVersions(self, **asked):
        return {"TableVersions": []}

    def _UpdateTable(self, **asked):
        return {}  # comments

    def _DeleteTable(self, CatalogId, DatabaseName, Name):
        with self.current() as spark:
            spark.sql(f"drop table {DatabaseName}.{Name}")
        return {}

    def _ListObjectsV2(self, Bucket, Prefix):
        return {}  # the location of a new table is empty

    def _StartSession(self, **asked):
        return {"SessionId": str(uuid.uuid4()), "State": "IDLE"}

    def _StartCalculationExecution(self, SessionId, CodeBlock):
        assert len(CodeBlock) <= 68_000  # the service's limit
        name = re.search(r'identifier = "(\w+)"', CodeBlock)[1]
        self.code[name] = CodeBlock
        self.names[name] = {"__name__": "__main__", "spark": self.spark}
        self.errors.pop(name, None)
        try:
            with self.current():
                exec(CodeBlock, self.names[name])
        except Exception as error:
            self.errors[name] = error
        calculation = str(uuid.uuid4())
        self._failed[calculation] = name in self.errors
        return {"CalculationExecutionId": calculation}

    def _GetCalculationExecution(self, CalculationExecutionId):
        state = "FAILED" if self._failed[CalculationExecutionId] else "COMPLETED"
        return {"Status": {"State": state}, "Result": {"ResultType": "text"}}

    def _StartQueryExecution(self, QueryString, **asked):
        # Remove dbt's comment and the catalog, which is Spark's current one. Use Spark's quotes.
        statement = re.sub(r"(?s)^-- /\*.*?\*/\s*", "", QueryString).rstrip(" ;\n")
        statement = statement.replace('"awsdatacatalog".', "").replace('"', "`")
        assert re.match(
            r"create schema|insert into|alter table \S+ rename to|select '", statement
        ), statement
        with self.current() as spark:
            spark.sql(statement)
        return {"QueryExecutionId": str(uuid.uuid4())}

    def _GetQueryExecution(self, QueryExecutionId):
        status = {"State": "SUCCEEDED"}
        return {"QueryExecution": {"QueryExecutionId": QueryExecutionId, "Status": status}}

    def _GetQueryResults(self, **asked):
        return {"ResultSet": {"Rows": [], "ResultSetMetadata": {"ColumnInfo": []}}}

    def _rows(self, statement):
        with self.current() as spark:
            return spark.sql(statement).collect()

    def _databases(self):
        return [row.namespace for row in self._rows("show namespaces")]

    def _tables(self, database):
        if database not in self._databases():
            return []
        return [row.tableName for row in self._rows(f"show tables in {database}")]

    def _require(self, is_there, operation):
        if not is_there:
            raise ClientError({"Error": {"Code": "EntityNotFoundException"}}, operation)

    def _described(self, database, name):
        fields = self.spark.table(f"{CATALOG}.{database}.{name}").schema.fields
        columns = [{"Name": f.name, "Type": f.dataType.simpleString()} for f in fields]
        return {
            "Name": name,
            "DatabaseName": database,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"table_type": "ICEBERG"},
            "StorageDescriptor": {
                "Columns": columns,
                "Location": self.location(f"{database}.{name}"),
            },
        }
