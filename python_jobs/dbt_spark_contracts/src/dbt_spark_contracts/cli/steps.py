"""The steps of a long command, on the terminal: a line each, with the seconds that it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def step(name: str) -> Iterator[None]:
    """Say what is done, and how long it took."""
    began = time.monotonic()
    print(f"{name} … ", end="", flush=True)
    ending = "stopped"
    try:
        yield
        ending = "done"
    finally:
        print(f"{ending} ({time.monotonic() - began:.1f} s)", flush=True)
