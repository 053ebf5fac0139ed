"""Which versions of Spark and Iceberg this package knows, and what is told about others.

An unknown pyspark stops the command, because the guard reads Spark's plans. An unknown Iceberg gets
one line: its private names are in `compat/iceberg.py`, and one that is missing is an error.
"""

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata

from dbt_common.exceptions import DbtRuntimeError


@dataclass(frozen=True)
class Spark:
    """What a version of Spark needs.

    Attributes:
        iceberg: The name of Iceberg's runtime for it.
        java: The versions of Java that it runs on.
    """

    iceberg: str
    java: tuple[int, ...]


# By Spark's version. https://spark.apache.org/docs/4.0.0/#downloading
KNOWN = {
    "3.5": Spark("iceberg-spark-runtime-3.5_2.12", (8, 11, 17)),
    "4.0": Spark("iceberg-spark-runtime-4.0_2.13", (17, 21)),
}
KNOWN_ICEBERG = ("1.10",)

# Iceberg's runtime for any Spark, in a file name or in Maven's coordinates.
_RUNTIME = re.compile(r"iceberg-spark-runtime-\d+\.\d+_\d+\.\d+")


@functools.cache
def installed() -> Spark:
    """Return what the installed pyspark needs. It is not imported.

    Raises:
        DbtRuntimeError: If its version is not known. The message is one line.
    """
    return known(metadata.version("pyspark"))


def known(version: str) -> Spark:
    """Return what a version of Spark needs.

    Raises:
        DbtRuntimeError: If it is not known. The message is one line.
    """
    if found := KNOWN.get(_minor(version)):
        return found
    raise DbtRuntimeError(
        f"dbt-spark-contracts knows Spark {' and '.join(KNOWN)}, and this is {version}: install "
        f"pyspark~={next(iter(KNOWN))}.0, or a newer dbt-spark-contracts."
    )


def check_jars(names: Iterable[str]) -> None:
    """Check that each Iceberg runtime among these jars is for the installed pyspark.

    Args:
        names: Files or Maven's coordinates.

    Raises:
        ValueError: If one is for another Spark.
    """
    for name in names:
        found = _RUNTIME.search(name)
        if found and found[0] != installed().iceberg:
            raise ValueError(
                f"{name} is not for this pyspark ({metadata.version('pyspark')}): name a version "
                f"of {installed().iceberg} instead."
            )


def unknown_iceberg(version: str) -> str:
    """Return one line about a version of Iceberg that is not known. Empty if it is."""
    if _minor(version) in KNOWN_ICEBERG:
        return ""
    return (
        f"dbt-spark-contracts was tested with Iceberg {' and '.join(KNOWN_ICEBERG)}, and this is "
        f"{version}: try {KNOWN_ICEBERG[-1]} if something fails."
    )


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
