"""`dbt-spark-contracts erase`: docs/erasing.md."""
