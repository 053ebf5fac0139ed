"""`dbt-spark-contracts compare`: two tables, column by column and row by row, docs/compare.md."""
