"""The complete front: Athena's endpoint with moto's Glue, S3 and STS, and dbt configured for it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import boto3
from botocore.config import Config
from dbt.adapters.athena import session
from dbt.adapters.athena.connections import AthenaCredentials, AthenaCursor

from tests.support.athena_front import aws, server
from tests.support.athena_front.calculations import spark_process
from tests.support.athena_front.errors import QueryFailed
from tests.support.athena_front.service import Service
from tests.support.dbt_runner import Dbt, DbtResult, environment
from tests.support.trino_functions import PLUGINS
from tests.support.trino_server import Trino

REGION = "us-east-1"
BUCKET = "lake"
KEY = "testing"

# `awsdatacatalog` is Athena's name for Glue. The Hive connector reads tables of other formats than
# Iceberg.
CATALOGS = {
    "awsdatacatalog": "connector.name=iceberg\niceberg.catalog.type=glue\n"
    "iceberg.hive-catalog-name=hive\n",
    "hive": "connector.name=hive\nhive.metastore=glue\nhive.table-statistics-enabled=false\n",
}
STORAGE = f"""
hive.metastore.glue.region={REGION}
hive.metastore.glue.endpoint-url={{url}}
hive.metastore.glue.aws-access-key={KEY}
hive.metastore.glue.aws-secret-key={KEY}
fs.native-s3.enabled=true
s3.region={REGION}
s3.endpoint={{url}}
s3.aws-access-key={KEY}
s3.aws-secret-key={KEY}
s3.path-style-access=true
"""
# Both have a limit of 100 partitions. Trino counts them per writer and Athena per query.
ONE_WRITER = {"task_min_writer_count": "1", "task_max_writer_count": "1"}


@dataclass
class Athena:
    """The front as a test uses it."""

    # Runs a statement in a database and returns the cursor of Trino's client.
    trino: Callable
    # Points AWS's clients to the front.
    environment: dict[str, str]
    bucket: str = BUCKET

    def client(self, name: str):
        """Return a boto3 client for a service of AWS."""
        return _client(name, self.environment)

    def put(self, key: str, body: bytes) -> None:
        """Put an object into the bucket."""
        self.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)

    def dbt(self, project: Dbt, *arguments: str, **options) -> DbtResult:
        """Run dbt on a project with the target `athena`, which points to this front."""
        # dbt-athena caches Spark sessions per process. They may belong to another front.
        session.spark_session_list.clear()
        session.spark_session_load.clear()
        with environment(**self.environment):
            return project(*arguments, "--target", "athena", **options)

    def sql(self, query: str, database: str = "default") -> list[tuple]:
        """Return the rows of a query as dbt-athena reads them. Raises its error on a failure."""
        credentials = AthenaCredentials(
            database="awsdatacatalog",
            schema=database,
            region_name=REGION,
            work_group="primary",
            s3_staging_dir=f"s3://{BUCKET}/results/",
        )
        return AthenaCursor(self._athena, credentials).execute(query).fetchall()

    def validate(self, sql: str, database: str) -> None:
        """Let Trino analyze a query, without running it.

        Raises:
            QueryFailed: If it is not valid.
        """
        assert self.trino(f"explain (type validate) {sql}", database).fetchall() == [[True]]

    @cached_property
    def _athena(self):
        return self.client("athena")


@contextmanager
def athena(folder: Path) -> Iterator[Athena]:
    """Start the engines and the front. The engines are installed in the folder."""
    with aws.serve() as url:
        variables = {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": KEY,
            "AWS_SESSION_TOKEN": KEY,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            **{f"AWS_ENDPOINT_URL_{name}": url for name in ("GLUE", "S3", "STS")},
            "LAKEHOUSE_ATHENA_RESULTS": f"s3://{BUCKET}/results/",
            "LAKEHOUSE_ATHENA_DATA": f"s3://{BUCKET}/warehouse/",
            # Ignore the profiles and roles of this machine.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        s3, glue = (_client(name, variables) for name in ("s3", "glue"))
        s3.create_bucket(Bucket=BUCKET)
        with spark_process(url, BUCKET, variables, folder / "spark") as spark:
            server_of_trino = Trino(folder, plugins=("iceberg", "hive", *PLUGINS))
            for name, settings in CATALOGS.items():
                file = server_of_trino.home / f"etc/catalog/{name}.properties"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(settings + STORAGE.format(url=url))
            with server_of_trino.running() as port:
                trino = _runs(server_of_trino, port)
                with server.serve(Service(trino, spark, glue, s3)) as endpoint:
                    # The endpoint also receives calls to all other services and refuses them.
                    found = {"AWS_ENDPOINT_URL_ATHENA": endpoint, "AWS_ENDPOINT_URL": endpoint}
                    yield Athena(trino, variables | found)


def _runs(server_of_trino: Trino, port: int) -> Callable:
    """Return a function that runs a statement in a database. Its cursor returns strings."""
    client = server_of_trino.client()

    def run(statement: str, database: str):
        connection = client.dbapi.connect(
            host="127.0.0.1",
            port=port,
            user="athena",
            catalog="awsdatacatalog",
            schema=database,
            timezone="UTC",
            session_properties=ONE_WRITER,
            legacy_primitive_types=True,
        )
        try:
            return connection.cursor().execute(statement)
        except client.exceptions.TrinoQueryError as error:
            raise QueryFailed(error.error_name, error.message) from error

    return run


def _client(name: str, variables: dict[str, str]):
    url = variables.get(f"AWS_ENDPOINT_URL_{name.upper()}") or variables["AWS_ENDPOINT_URL"]
    # A retry would not change a refusal.
    return boto3.client(
        name,
        region_name=REGION,
        endpoint_url=url,
        config=Config(retries={"total_max_attempts": 1}),
        aws_access_key_id=KEY,
        aws_secret_access_key=KEY,
    )
