"""`dbt-spark-contracts compare`: compares two tables by column and row. See docs/compare.md."""
