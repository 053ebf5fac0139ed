"""Progress of a long command on the terminal: one line per step, with its duration."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def step(name: str) -> Iterator[None]:
    """Print the name of a step, and how long it took."""
    began = time.monotonic()
    print(f"{name} … ", end="", flush=True)
    ending = "stopped"
    try:
        yield
        ending = "done"
    finally:
        print(f"{ending} ({time.monotonic() - began:.1f} s)", flush=True)
