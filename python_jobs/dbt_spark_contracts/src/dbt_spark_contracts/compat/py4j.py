"""py4j: its lookup of Java classes by name, and what it logs at Ctrl-C.

py4j asks Java for each part of a class's full name, each time the name is used. Java then searches
each of Spark's jars, which takes a millisecond per part, and a build has thousands of lookups. The
result does not change while Java runs.
"""

import functools
import logging
from collections.abc import Callable
from typing import Any

from dbt_spark_contracts.once import once

# What py4j logs with a traceback when Ctrl-C interrupts a call to Java, by the logger's name. py4j
# raises the interrupt too.
OF_AN_INTERRUPT = {
    "root": "KeyboardInterrupt while sending command.",
    "py4j.clientserver": "Exception occurred while shutting down connection",
}


@once
def log_no_interrupts() -> None:
    """Drop py4j's tracebacks of an interrupted call. Whoever handles the interrupt reports it."""
    for name in OF_AN_INTERRUPT:
        logging.getLogger(name).addFilter(
            lambda record: record.msg != OF_AN_INTERRUPT.get(record.name)
        )


@once
def remember_names() -> None:
    """Make py4j look up each package, class and static method only once, in every thread."""
    from py4j.java_gateway import JavaClass, JavaPackage, JVMView

    for owner in (JVMView, JavaPackage, JavaClass):
        setattr(owner, "__getattr__", _remembering(owner.__getattr__))  # noqa: B010


def _remembering(ask: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """Wrap the lookup so that a permanent result becomes an attribute."""

    @functools.wraps(ask)
    def remembering(self: Any, name: str) -> Any:
        found = ask(self, name)
        if _stays(found, name):
            vars(self)[name] = found
        return found

    return remembering


def _stays(found: Any, name: str) -> bool:
    """Return whether the result stays the same while Java runs. A static field does not.

    An unknown class looks like a package, and may be found once its jar is added. By Java's
    conventions, package names have no capitals.
    """
    from py4j.java_gateway import JavaClass, JavaMember, JavaPackage

    if isinstance(found, JavaPackage):
        return name.islower()
    return isinstance(found, (JavaClass, JavaMember))
