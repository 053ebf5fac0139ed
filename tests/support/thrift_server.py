"""Spark's Thrift server from the pyspark package: Spark in another process."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyspark
from dbt_spark_contracts.spark.java import find_java_home
from dbt_spark_contracts.spark.settings import bundled_iceberg_jar

SERVER = "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2"
SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.hadoop.hive.server2.thrift.bind.host": "127.0.0.1",
    "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
    "spark.sql.defaultCatalog": "lake",
    "spark.sql.catalog.lake": "org.apache.iceberg.spark.SparkCatalog",
    "spark.sql.catalog.lake.type": "hadoop",
}


@contextmanager
def thrift_server(folder: Path) -> Iterator[int]:
    """Run the server with Spark's catalog and the Iceberg catalog `lake`, both in the folder.

    Yields:
        Its port.
    """
    (folder / "lake" / "default").mkdir(parents=True)  # each session begins with `use default`
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = SETTINGS | {
        "spark.hadoop.hive.server2.thrift.port": str(port),
        "spark.sql.catalog.lake.warehouse": str(folder / "lake"),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
    }
    submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
    # The server's threads do not see the classes of --jars.
    options = [
        "--class",
        SERVER,
        "--master",
        "local[2]",
        "--driver-class-path",
        str(bundled_iceberg_jar()),
    ]
    options += [part for key, value in settings.items() for part in ("--conf", f"{key}={value}")]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [submit, *options, "spark-internal"],
            cwd=folder,  # the metastore is created here
            env=os.environ | {"JAVA_HOME": str(find_java_home())},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            until = time.monotonic() + 180
            while not _answers(port):
                assert server.poll() is None and time.monotonic() < until, (
                    folder / "log"
                ).read_text()[-3000:]
                time.sleep(0.2)
            yield port
        finally:
            server.terminate()
            server.wait(60)


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
