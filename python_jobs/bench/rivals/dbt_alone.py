"""dbt without the guard: dbt does not find the package. For the commands of dbt-spark alone.

It is run as a file, from the folder of a project that parses without the guard.
"""

import pkgutil
from collections.abc import Iterator
from typing import Any

GUARD = "dbt_spark_contracts"

_found = pkgutil.iter_modules


def without_guard(*arguments: Any, **options: Any) -> Iterator[pkgutil.ModuleInfo]:
    """List modules as Python does, except for the guard. dbt takes its plugins from this list."""
    return (module for module in _found(*arguments, **options) if module.name != GUARD)


if __name__ == "__main__":
    pkgutil.iter_modules = without_guard
    # After the change, and not at the top: as `dbt` itself, which imports nothing else before.
    from dbt.cli.main import cli

    cli()
