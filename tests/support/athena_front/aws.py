"""moto's Glue, S3 and STS, limited to the calls that dbt-athena and the engines make.

The limit is needed because moto answers some unknown calls as if they were other calls. Requests to
Glue and its responses are validated against botocore's model.
"""

import io
import json
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

from tests.support.athena_front.errors import InvalidRequest
from tests.support.athena_front.model import hold_to, service_model
from tests.support.athena_front.server import serving

GLUE = {
    *("GetDatabase", "GetDatabases", "CreateDatabase", "DeleteDatabase"),
    *("GetTable", "GetTables", "CreateTable", "UpdateTable", "DeleteTable"),
    *("GetTableVersions", "DeleteTableVersion"),
}
# The query parameters of listing, deleting and multipart uploads. Other S3 features are refused.
S3_ARGUMENTS = {
    *("list-type", "prefix", "encoding-type", "max-keys", "marker", "continuation-token"),
    *("delete", "delimiter", "start-after", "fetch-owner"),
    *("uploads", "uploadId", "partNumber", "x-id"),
}
S3_METHODS = {"GET", "PUT", "HEAD", "POST", "DELETE"}
STS = {"GetCallerIdentity"}


class Gate(DomainDispatcherApplication):
    """moto's server behind an allowlist of calls."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)

    def __call__(self, environ: dict, start_response):
        call = unknown_call(environ)
        if call is not None:
            return refuse(start_response, call.partition(" ")[0], f"does not know the call {call}")
        if "HTTP_X_AMZ_TARGET" not in environ:
            return super().__call__(environ, start_response)
        name = glue_call(environ)
        operation = service_model("glue").operation_model(name)
        started: list = []
        try:
            hold_to(operation.input_shape, json.loads(body_of(environ)), f"the request of {name}")
            answer = b"".join(super().__call__(environ, lambda *args: started.append(args)))
            if started[0][0].startswith("200"):
                hold_to(
                    operation.output_shape, json.loads(answer or b"{}"), f"the answer to {name}"
                )
        except InvalidRequest as error:
            return refuse(start_response, "glue", str(error))
        start_response(*started[0])
        return [answer]


def refuse(start_response, service: str, message: str) -> list[bytes]:
    """Answer with an error in the service's format. It is one that clients do not retry."""
    message = f"The tests' front of AWS: {message}"
    if service == "glue":
        start_response("400 Bad Request", [("Content-Type", "application/x-amz-json-1.1")])
        return [json.dumps({"__type": "NotInTheFront", "Message": message}).encode()]
    start_response("400 Bad Request", [("Content-Type", "application/xml")])
    error = f"<Error><Code>NotInTheFront</Code><Message>{message}</Message></Error>"
    return [(error if service == "s3" else f"<Response>{error}</Response>").encode()]


def unknown_call(environ: dict) -> str | None:
    """Return a description of the call in a WSGI request, or None if the call is allowed."""
    signed = re.search(r"/(\w+)/aws4_request", environ.get("HTTP_AUTHORIZATION", ""))
    service = signed[1] if signed else "unsigned"
    if service == "glue":
        call = glue_call(environ)
        return None if call in GLUE else f"glue {call}"
    if service == "sts":
        call = parse_qs(body_of(environ).decode()).get("Action", [""])[0]
        return None if call in STS else f"sts {call}"
    if service == "s3":
        asked = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True).keys()
        if (
            environ["REQUEST_METHOD"] in S3_METHODS
            and asked <= S3_ARGUMENTS
            and environ["PATH_INFO"] != "/"
        ):
            return None
        return f"s3 {environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{'&'.join(asked)}"
    return service


def glue_call(environ: dict) -> str:
    """Return the name of the Glue call."""
    return environ.get("HTTP_X_AMZ_TARGET", "").removeprefix("AWSGlue.")


def body_of(environ: dict) -> bytes:
    """Return the body of a request, and rewind it so that moto can read it again."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


@contextmanager
def serve() -> Iterator[str]:
    """Run the server on localhost.

    Yields:
        The URL.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    options = {"threaded": True, "request_handler": MotoRequestHandler}
    with serving(make_server("127.0.0.1", 0, Gate(), **options)) as url:
        yield url
