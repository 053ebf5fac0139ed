"""Iceberg's REST catalog server from Maven, with a catalog in SQLite.

This is the server of Iceberg's own tests, with its servlet, the requirements of a commit, and
transactions. A transaction checks the requirements of all tables before it commits the first one.
Requests run one at a time, so no request sees a partial transaction.
"""

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError

import pyspark
from dbt_spark_contracts.spark.java import find_java_home
from dbt_spark_contracts.spark.settings import bundled_iceberg_jar
from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway

from tests.support.maven import artifact

ICEBERG, JETTY = "org.apache.iceberg:iceberg-core:1.10.2:jar", "12.0.16:jar"
ARTIFACTS = (
    f"{ICEBERG}:tests",
    ICEBERG,
    "com.github.ben-manes.caffeine:caffeine:2.9.3:jar",
    "dev.failsafe:failsafe:3.3.2:jar",
    "org.apache.httpcomponents.client5:httpclient5:5.5:jar",
    "org.apache.httpcomponents.core5:httpcore5:5.3.4:jar",
    "org.apache.httpcomponents.core5:httpcore5-h2:5.3.4:jar",
    f"org.eclipse.jetty.ee10:jetty-ee10-servlet:{JETTY}",
    *(
        f"org.eclipse.jetty:jetty-{part}:{JETTY}"
        for part in ("server", "util", "io", "http", "security", "session")
    ),
    "jakarta.servlet:jakarta.servlet-api:6.0.0:jar",
    "org.xerial:sqlite-jdbc:3.51.1.0:jar",
)
TRANSACTIONS = "/transactions/commit"


@contextmanager
def rest_catalog(folder: Path) -> Iterator[str]:
    """Run the server with its tables in the folder.

    Yields:
        Its URI.
    """
    jars = [*map(artifact, ARTIFACTS), bundled_iceberg_jar()]
    path = ":".join([*map(str, jars), str(Path(pyspark.__file__).with_name("jars") / "*")])
    java = str(find_java_home() / "bin/java")
    with (folder / "rest.log").open("w") as log:
        options = {"java_path": java, "redirect_stdout": log, "redirect_stderr": log}
        port = launch_gateway(classpath=path, die_on_exit=True, **options)
        gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port))
        try:
            yield f"http://127.0.0.1:{_start(gateway.jvm, folder)}"
        finally:
            gateway.shutdown()


def _start(jvm, folder: Path) -> int:
    """Start the server in this Java process. Return its port."""
    settings = jvm.java.util.HashMap()
    settings.put("catalog-impl", "org.apache.iceberg.jdbc.JdbcCatalog")
    settings.put("uri", f"jdbc:sqlite:{folder}/catalog.db")
    settings.put("warehouse", str(folder))
    settings.put("jdbc.schema-version", "V1")
    iceberg, jetty = jvm.org.apache.iceberg, jvm.org.eclipse.jetty
    configuration = jvm.org.apache.hadoop.conf.Configuration()
    catalog = iceberg.CatalogUtil.buildIcebergCatalog("behind", settings, configuration)
    servlet = iceberg.rest.RESTCatalogServlet(iceberg.rest.RESTCatalogAdapter(catalog))
    context = jetty.ee10.servlet.ServletContextHandler()
    context.addServlet(jetty.ee10.servlet.ServletHolder(servlet), "/*")
    context.getServletHandler().setDecodeAmbiguousURIs(True)  # for nested namespaces
    one_at_a_time = jetty.server.handler.QoSHandler(context)
    one_at_a_time.setMaxRequestCount(1)
    server = jetty.server.Server(0)
    server.setHandler(one_at_a_time)
    factory = server.getConnectors()[0].getDefaultConnectionFactory()
    factory.getHttpConfiguration().setUriCompliance(jetty.http.UriCompliance.UNSAFE)
    server.start()
    return server.getURI().getPort()


@contextmanager
def without_transactions(uri: str, *, admits_it: bool) -> Iterator[str]:
    """Run a proxy for the server that has no transactions.

    Args:
        uri: The server.
        admits_it: Whether the proxy's configuration omits the transaction endpoint.

    Yields:
        The proxy's URI.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else None
            if self.path.endswith(TRANSACTIONS):
                status, answer = 404, b'{"error": {"message": "?", "type": "?", "code": 404}}'
            else:
                kept = {"Content-Type": self.headers.get("Content-Type") or "application/json"}
                asked = urllib.request.Request(
                    uri + self.path, data=body, method=self.command, headers=kept
                )
                try:
                    with urllib.request.urlopen(asked) as response:
                        status, answer = response.status, response.read()
                except HTTPError as error:
                    status, answer = error.code, error.read()
            if admits_it and self.path.startswith("/v1/config"):
                config = json.loads(answer)
                ways = [way for way in config["endpoints"] if not way.endswith(TRANSACTIONS)]
                answer = json.dumps(config | {"endpoints": ways}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else answer)

        do_GET = do_POST = do_HEAD = do_DELETE = forward

        def log_message(self, *_) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
