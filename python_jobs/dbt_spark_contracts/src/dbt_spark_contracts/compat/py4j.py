"""py4j: how it finds a Java class by its name.

py4j asks Java what a name is each time that it stands in the code, for each part of a class's whole
name. Java then looks for a class of that name in each of Spark's jars: a millisecond for each part,
and a build has thousands of them. What a name is does not change while Java runs.
"""

import functools
from collections.abc import Callable
from typing import Any

from dbt_spark_contracts.once import once


@once
def remember_names() -> None:
    """Have py4j ask once for each package, class and static method, in every thread."""
    from py4j.java_gateway import JavaClass, JavaPackage, JVMView

    for owner in (JVMView, JavaPackage, JavaClass):
        setattr(owner, "__getattr__", _remembering(owner.__getattr__))  # noqa: B010


def _remembering(ask: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """The function, whose answer becomes an attribute, if it is one that stays."""

    @functools.wraps(ask)
    def remembering(self: Any, name: str) -> Any:
        found = ask(self, name)
        if _stays(found, name):
            vars(self)[name] = found
        return found

    return remembering


def _stays(found: Any, name: str) -> bool:
    """Is that the same for as long as Java runs? A static field is not.

    A class that was not found counts as a package, and may be found once its jar has been added: by
    Java's rules the name of a package has no capital.
    """
    from py4j.java_gateway import JavaClass, JavaMember, JavaPackage

    if isinstance(found, JavaPackage):
        return name.islower()
    return isinstance(found, (JavaClass, JavaMember))
