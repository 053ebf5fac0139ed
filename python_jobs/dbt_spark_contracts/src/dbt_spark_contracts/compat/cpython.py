"""CPython: parsing in several threads.

CPython 3.11 counts the depth of the syntax tree that it makes in one counter for all threads. If
two of them parse at once, as dbt's threads do, one may raise SystemError although its source is
right: https://github.com/python/cpython/issues/106905
"""

import ast
import functools
import threading

_PARSING = threading.Lock()
# The lock keeps this package's own threads apart. dbt and Jinja parse literals without it.
_ATTEMPTS = 5


@functools.lru_cache(maxsize=64)
def parsed(source: str) -> ast.Module:
    """Return the syntax tree of Python's source, which several callers share.

    Raises:
        SyntaxError: If it is not Python.
        ValueError: If it has a null character.
    """
    with _PARSING:
        for _ in range(_ATTEMPTS - 1):
            try:
                return ast.parse(source)
            except SystemError:
                continue
        return ast.parse(source)
