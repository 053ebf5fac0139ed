"""Work that a process does once, whichever thread asks for it."""

import functools
import threading
from collections.abc import Callable


def once(function: Callable[[], None]) -> Callable[[], None]:
    """Make only the first call do the work. Other threads wait until it is done."""
    lock = threading.Lock()
    is_done = False

    @functools.wraps(function)
    def ask() -> None:
        nonlocal is_done
        with lock:
            if not is_done:
                function()
                is_done = True

    return ask
