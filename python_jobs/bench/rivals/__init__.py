"""The Silver and Gold tables in hand-written PySpark without dbt, plain and tuned."""
