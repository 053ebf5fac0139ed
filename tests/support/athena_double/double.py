"""The double as a whole: Athena's endpoint, with moto's Glue, S3 and STS, and dbt on them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.config import Config
from dbt.adapters.athena.connections import AthenaCredentials, AthenaCursor

from tests.support.athena_double import aws, server
from tests.support.athena_double.bucket import Bucket
from tests.support.athena_double.service import SPARK_ENGINE, SQL_ENGINE, Service
from tests.support.athena_double.tables import Tables

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

    def dbt(self, *arguments, **variables) -> subprocess.CompletedProcess:
        """dbt in a process of its own, which has no Java, with these environment variables more."""
        return subprocess.run(
            [sys.executable, "-m", "dbt.cli.main", *map(str, arguments)],
            env=os.environ | self.environment | variables,
            capture_output=True,
            text=True,
        )

    def sql(self, query: str, database: str = "default") -> list[tuple]:
        """The rows of a query, as dbt-athena reads them. Raises its error if the query fails."""
        credentials = AthenaCredentials(
            database="awsdatacatalog",
            schema=database,
            region_name=REGION,
            work_group="primary",
            s3_staging_dir=f"s3://{self.bucket.name}/results/",
        )
        return AthenaCursor(self.client("athena"), credentials).execute(query).fetchall()


@contextmanager
def athena(spark, folder: Path, bucket: str) -> Iterator[Double]:
    """A double whose one bucket, named as none before in this process, lies in `folder`."""
    with aws.serve() as url:
        environment = {
            **CREDENTIALS,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            **{f"AWS_ENDPOINT_URL_{name}": url for name in ("GLUE", "S3", "STS")},
            # No profile or role of this machine's.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        s3, glue = (_client(name, environment) for name in ("s3", "glue"))
        files = Bucket(s3, bucket, folder)
        files.mount(spark)
        # With settings, temporary views and a catalog of its own.
        tables = Tables(spark.newSession(), glue, files)
        service = Service(tables, {"primary": SQL_ENGINE, "spark": SPARK_ENGINE})
        with server.serve(service) as url:
            # Also any service that is not named: it is refused there.
            environment |= {"AWS_ENDPOINT_URL_ATHENA": url, "AWS_ENDPOINT_URL": url}
            yield Double(tables, files, environment)


def _client(name: str, environment: dict[str, str]):
    url = environment.get(f"AWS_ENDPOINT_URL_{name.upper()}") or environment["AWS_ENDPOINT_URL"]
    credentials = {key.lower(): value for key, value in CREDENTIALS.items()}
    # A call that is refused is refused for good.
    once = Config(retries={"total_max_attempts": 1})
    return boto3.client(name, region_name=REGION, endpoint_url=url, config=once, **credentials)
