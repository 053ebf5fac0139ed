"""A dbt plugin: Python models that run in the dbt process on Spark, under enforced contracts.

dbt imports every top-level module whose name starts with `dbt_` and looks for `plugins` in it.
"""

from dbt_spark_contracts.plugin import SparkContractsPlugin

plugins = [SparkContractsPlugin]
