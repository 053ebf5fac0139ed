"""The double as a whole: Athena's endpoint, with moto's Glue, S3 and STS, and dbt on them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import boto3
from botocore.config import Config
from dbt.adapters.athena import session
from dbt.adapters.athena.connections import AthenaCredentials, AthenaCursor

from tests.support.athena_double import aws, server
from tests.support.athena_double.bucket import Bucket
from tests.support.athena_double.service import SPARK_ENGINE, SQL_ENGINE, Service
from tests.support.athena_double.tables import Tables
from tests.support.dbt_runner import Dbt, DbtResult, environment

REGION = "us-east-1"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
}


@dataclass
class Double:
    """What a test has of the double."""

    tables: Tables
    bucket: Bucket
    # What lets AWS's clients find the double, and nothing else.
    environment: dict[str, str]

    def client(self, name: str):
        """A client of boto3's for one of AWS's services."""
        return _client(name, self.environment)

    def put(self, key: str, body: bytes) -> None:
        """Put an object into the bucket."""
        self.client("s3").put_object(Bucket=self.bucket.name, Key=key, Body=body)

    def dbt(self, project: Dbt, *arguments: str, **options) -> DbtResult:
        """Run dbt on a project, whose target `athena` is then this double."""
        # dbt-athena keeps the Spark sessions of a process: these may be of another double.
        session.spark_session_list.clear()
        session.spark_session_load.clear()
        with environment(**self.environment):
            return project(*arguments, "--target", "athena", **options)

    def sql(self, query: str, database: str = "default") -> list[tuple]:
        """The rows of a query, as dbt-athena reads them. Raises its error if the query fails."""
        credentials = AthenaCredentials(
            database="awsdatacatalog",
            schema=database,
            region_name=REGION,
            work_group="primary",
            s3_staging_dir=f"s3://{self.bucket.name}/results/",
        )
        return AthenaCursor(self._athena, credentials).execute(query).fetchall()

    @cached_property
    def _athena(self):
        return self.client("athena")


@contextmanager
def athena(spark, folder: Path, bucket: str) -> Iterator[Double]:
    """A double whose one bucket, named as none before in this process, lies in `folder`."""
    with aws.serve() as gate:
        variables = {
            **CREDENTIALS,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            **{f"AWS_ENDPOINT_URL_{name}": gate.url for name in ("GLUE", "S3", "STS")},
            "LAKEHOUSE_ATHENA_RESULTS": f"s3://{bucket}/results/",
            "LAKEHOUSE_ATHENA_DATA": f"s3://{bucket}/warehouse/",
            # No profile or role of this machine's.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        s3, glue = (_client(name, variables, aws.OWN) for name in ("s3", "glue"))
        files = Bucket(s3, bucket, folder)
        files.mount(spark)
        # With settings, temporary views and a catalog of its own.
        tables = Tables(spark.newSession(), glue, files, lambda: gate.state)
        service = Service(tables, {"primary": SQL_ENGINE, "spark": SPARK_ENGINE})
        with server.serve(service) as url:
            # Also any service that is not named: it is refused there.
            variables |= {"AWS_ENDPOINT_URL_ATHENA": url, "AWS_ENDPOINT_URL": url}
            yield Double(tables, files, variables)


def _client(name: str, variables: dict[str, str], user_agent: str | None = None):
    url = variables.get(f"AWS_ENDPOINT_URL_{name.upper()}") or variables["AWS_ENDPOINT_URL"]
    credentials = {key.lower(): value for key, value in CREDENTIALS.items()}
    # A call that is refused is refused for good.
    once = Config(retries={"total_max_attempts": 1}, user_agent_extra=user_agent)
    return boto3.client(name, region_name=REGION, endpoint_url=url, config=once, **credentials)
