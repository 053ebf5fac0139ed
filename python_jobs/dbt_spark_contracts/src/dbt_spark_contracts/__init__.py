"""A dbt plugin: Python models that run in the dbt process on Spark, under enforced contracts.

dbt imports every top-level module whose name starts with `dbt_` and looks for `plugins` in it.
"""


def __getattr__(name: str) -> list[type]:
    # Made when dbt asks: the processes around a spare Java need nothing of dbt.
    if name != "plugins":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dbt_spark_contracts.plugin import SparkContractsPlugin

    return [SparkContractsPlugin]
