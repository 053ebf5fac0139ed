"""The doors of Athena, Glue, S3 and STS, for dbt-athena, with real engines behind them.

SQL is run by Trino, Python models by a Spark in a process of its own. Both work on the Iceberg
tables of one catalog, moto's Glue, whose files lie in moto's S3. As in AWS, each engine sees what
the other one has written.

The front itself answers Athena's calls, holds each request and answer to botocore's model, and
knows what is Athena's own and not Trino's: the properties of `create table`, the statements that
Athena reads as Hive's, and Athena's limits. What it does not know is an error.

What this does not show: Athena. Trino 476 is newer than Athena's engine 3, so it takes functions
that Athena may not have: `python -m python_jobs.athena_gate` holds the models to the older list.
Spark is 3.5, and not 3.2: `calculations.py` keeps to what 3.2 has. No quota, permission or time-out
is known.
"""
