"""The Silver and Gold tables without dbt: hand-written PySpark, plain and tuned."""
