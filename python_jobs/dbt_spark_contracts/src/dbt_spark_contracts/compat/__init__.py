"""Every private name of dbt, Spark, Hadoop, py4j and Iceberg that this package uses, by library.

Each file says why it needs them, and `tests/compat` fails when one of them changes. No other module
may use a private name of another library (`tests/house/test_compat.py`).
"""
