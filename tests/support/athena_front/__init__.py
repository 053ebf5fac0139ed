"""Emulates the APIs of Athena, Glue, S3 and STS for dbt-athena, with real engines behind them.

Trino runs the SQL. Spark runs the Python models in a separate process. Both use the Iceberg tables
of one catalog: moto's Glue, with the files in moto's S3. As in AWS, each engine sees what the other
one has written.

The front answers Athena's calls and validates each request and response against botocore's model.
It also implements the differences between Athena and Trino: the properties of `create table`, the
statements in Hive's dialect, and Athena's limits. Anything unknown is an error.

Limits of this emulation:

- Trino 476 is newer than Athena's engine 3 and has functions that Athena may lack.
  `python -m python_jobs.athena_gate` checks the models against the list for Athena.
- Spark is version 3.5 instead of 3.2. `calculations.py` refuses what 3.2 lacks.
- There are no quotas, permissions or time-outs.
"""
