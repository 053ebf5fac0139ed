"""Free ports for servers that cannot choose one themselves."""

import socket
from contextlib import ExitStack


def free_ports(number: int) -> list[int]:
    """Return this number of local ports that nothing listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
