"""Athena's endpoint: its JSON protocol over HTTP, held to botocore's own model of it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from threading import Thread

import botocore.session
from botocore.model import Shape
from botocore.validate import ParamValidator

from tests.support.athena_double.errors import InvalidRequest
from tests.support.athena_double.service import Service


def athena_model():
    """botocore's model of Athena's calls."""
    return botocore.session.get_session().get_service_model("athena")


@contextmanager
def serve(service: Service):
    """Answer Athena's calls on this machine. Return the endpoint's URL."""
    model = athena_model()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                status, answer = 200, answer_call(service, model, self.headers, body)
            except InvalidRequest as error:
                status, answer = 400, {"__type": "InvalidRequestException", "Message": str(error)}
            except Exception as error:
                # Not retried, as a server's error would be.
                status, answer = 400, {"__type": "DoubleFailed", "Message": repr(error)}
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_DELETE = do_HEAD = do_POST

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    try:
        with serving(server) as url:
            yield url
    finally:
        service.close()


@contextmanager
def serving(server: HTTPServer) -> Iterator[str]:
    """Start a server on this machine in its own thread. Return its URL."""
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def answer_call(service: Service, model, headers, body: bytes) -> dict:
    """The answer to a call. Raises InvalidRequest for one that is not known here."""
    prefix, _, name = headers.get("X-Amz-Target", "").partition(".")
    is_known = name in model.operation_names and hasattr(Service, name)
    if prefix != "AmazonAthena" or not is_known:
        raise InvalidRequest(f"The test double of Athena does not know the call {name or 'none'}")
    operation = model.operation_model(name)
    request = json.loads(body or b"{}")
    _hold_to(operation.input_shape, request, f"the request of {name}")
    try:
        answer = getattr(service, name)(**request)
    except TypeError as error:
        # The double's methods take what dbt-athena gives.
        raise InvalidRequest(f"The test double of Athena: {error}") from error
    _hold_to(operation.output_shape, answer, f"the answer to {name}")
    return answer


def _hold_to(shape: Shape, value, what: str) -> None:
    """Raises InvalidRequest if a value is not as Athena's model says, or a text in it too long."""
    report = ParamValidator().validate(value, shape)
    problems = report.has_errors() and [report.generate_report()]
    if problems := problems or list(_too_long(shape, value, what)):
        raise InvalidRequest(f"{what}: {'; '.join(problems)}")


def _too_long(shape: Shape, value, path: str):
    # botocore looks at the shortest length alone, and leaves the longest to the service.
    if shape.type_name == "structure":
        for name, inner in value.items():
            yield from _too_long(shape.members[name], inner, f"{path}.{name}")
    elif shape.type_name == "string" and len(value) > shape.metadata.get("max", len(value)):
        yield f"{path} has {len(value)} characters, and Athena takes {shape.metadata['max']}"
