"""Work that a process does once, whichever of its threads asks for it."""

import functools
import threading
from collections.abc import Callable


def once(function: Callable[[], None]) -> Callable[[], None]:
    """The function, whose first call alone does the work. Others wait until that is done."""
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
