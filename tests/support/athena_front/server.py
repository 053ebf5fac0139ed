"""Athena's endpoint: its JSON protocol over HTTP."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from threading import Thread

from tests.support.athena_front.errors import InvalidRequest
from tests.support.athena_front.model import hold_to, service_model


@contextmanager
def serve(service) -> Iterator[str]:
    """Serve Athena's calls on localhost.

    Args:
        service: An object with a method for each call.

    Yields:
        The endpoint's URL.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                status, answer = 200, answer_call(service, self.headers, body)
            except InvalidRequest as error:
                status, answer = 400, {"__type": "InvalidRequestException", "Message": str(error)}
            except Exception as error:
                # Status 400, because clients would retry a server error.
                status, answer = 400, {"__type": "FrontFailed", "Message": repr(error)}
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
    with serving(server) as url:
        yield url


@contextmanager
def serving(server: HTTPServer) -> Iterator[str]:
    """Run a server in a thread of its own.

    Yields:
        Its URL.
    """
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def answer_call(service, headers, body: bytes) -> dict:
    """Return the answer to a call.

    Raises:
        InvalidRequest: For an unknown call.
    """
    prefix, _, name = headers.get("X-Amz-Target", "").partition(".")
    model = service_model("athena")
    is_known = name in model.operation_names and hasattr(type(service), name)
    if prefix != "AmazonAthena" or not is_known:
        raise InvalidRequest(f"The tests' front of Athena does not know the call {name or 'none'}")
    operation = model.operation_model(name)
    request = json.loads(body or b"{}")
    hold_to(operation.input_shape, request, f"the request of {name}")
    try:
        answer = getattr(service, name)(**request)
    except TypeError as error:
        # The methods accept only the arguments that dbt-athena passes.
        raise InvalidRequest(f"The tests' front of Athena: {error}") from error
    hold_to(operation.output_shape, answer, f"the answer to {name}")
    return answer
