"""Glue, S3 and STS: moto's, but for the calls that dbt-athena and the double make and no others.

moto answers some calls that it does not know as if they were others.
"""

import io
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from tests.support.athena_double.server import serving

GLUE = {
    *("GetDatabase", "GetDatabases", "CreateDatabase"),
    *("GetTable", "GetTables", "CreateTable", "UpdateTable", "DeleteTable"),
    *("GetTableVersions", "DeleteTableVersion"),
}
# Of a bucket or an object there is more; these are what lists and deletes objects.
S3_ARGUMENTS = {
    *("list-type", "prefix", "encoding-type", "max-keys", "marker", "continuation-token"),
    *("delete",),
}
S3_METHODS = {"GET", "PUT", "HEAD", "POST", "DELETE"}
STS = {"GetCallerIdentity"}

# What the double's own clients add to their user agent, to tell them from dbt-athena's.
OWN = "athena-double"


class Gate(DomainDispatcherApplication):
    """moto's server behind a list of the calls that it lets through."""

    # Where it answers.
    url: str

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        # Another object after each change that is not the double's own.
        self.state = object()

    def __call__(self, environ: dict, start_response):
        call = unknown_call(environ)
        if call is None:
            try:
                return super().__call__(environ, start_response)
            finally:
                if changes(environ) and OWN not in environ.get("HTTP_USER_AGENT", ""):
                    self.state = object()
        message = f"The test double of AWS does not know the call {call}"
        start_response("400 Bad Request", [("Content-Type", "application/xml")])
        # As S3 and, around it, STS say it; Glue's client shows it as it is.
        error = f"<Error><Code>NotInTheDouble</Code><Message>{message}</Message></Error>"
        return [(error if call.startswith("s3") else f"<Response>{error}</Response>").encode()]


def unknown_call(environ: dict) -> str | None:
    """What is asked for, if moto is not to answer it; else None. In: a request, as WSGI has it."""
    signed = re.search(r"/(\w+)/aws4_request", environ.get("HTTP_AUTHORIZATION", ""))
    service = signed[1] if signed else "unsigned"
    if service == "glue":
        call = environ.get("HTTP_X_AMZ_TARGET", "").removeprefix("AWSGlue.")
        return None if call in GLUE else f"glue {call}"
    if service == "sts":
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        call = parse_qs(body.decode()).get("Action", [""])[0]
        return None if call in STS else f"sts {call}"
    if service == "s3":
        asked = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True).keys()
        copies = "HTTP_X_AMZ_COPY_SOURCE" in environ
        is_known = environ["REQUEST_METHOD"] in S3_METHODS and asked <= S3_ARGUMENTS and not copies
        if is_known and environ["PATH_INFO"] != "/":
            return None
        return f"s3 {environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{'&'.join(asked)}"
    return service


def changes(environ: dict) -> bool:
    """Whether a request may change something."""
    if call := environ.get("HTTP_X_AMZ_TARGET"):
        return not call.startswith("AWSGlue.Get")
    return environ["REQUEST_METHOD"] not in ("GET", "HEAD")


@contextmanager
def serve() -> Iterator[Gate]:
    """Answer on this machine."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    gate = Gate()
    server = make_server("127.0.0.1", 0, gate, threaded=True, request_handler=MotoRequestHandler)
    with serving(server) as gate.url:
        yield gate
