"""dbt with the guard, but without its check of column origins. Only for contestant N.

The guard itself has no such switch.
"""

from typing import Any

from dbt.cli.main import cli
from dbt_spark_contracts.plugin import SparkContractsPlugin

_set_up = SparkContractsPlugin.set_up


def set_up(plugin: SparkContractsPlugin, *arguments: Any, **options: Any) -> None:
    """Prepare the command, and then disable the check."""
    _set_up(plugin, *arguments, **options)
    # Not at the top: pyspark is imported while Java starts.
    from dbt_spark_contracts.lineage.doors import LineageDoors

    LineageDoors.check_origins = lambda *arguments, **options: {}  # type: ignore[method-assign]


if __name__ == "__main__":
    SparkContractsPlugin.set_up = set_up  # type: ignore
    cli()
