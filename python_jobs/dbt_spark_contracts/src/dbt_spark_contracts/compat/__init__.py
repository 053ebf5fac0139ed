"""Every private name of dbt, Spark, py4j and Iceberg that this package uses: a file a host.

Each says why it is needed, and `tests/compat` notices when one of them changes. Nothing else in the
package touches a stranger's private name (`tests/house/test_compat.py`).
"""
