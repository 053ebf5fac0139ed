"""A test double of Amazon Athena, for dbt-athena's protocol; Glue, S3 and STS beside it are moto's.

What a test on it shows: that dbt-athena's calls, in the order in which a build makes them, and the
SQL and Python that come of this project, work together and end in the right values. SQL is read
by Trino's rules of names and types, and really executed, by Spark on Iceberg tables; the code
blocks of Python models are executed as they are.

What it does not show: Athena. Its engine is Spark 3.5, also for Python models (Athena's is 3.2); it
knows no quota, limit of partitions, permission or time-out; and the files of a bucket lie in a
folder, which Spark sees as `s3://bucket/`. It keeps to Trino's documentation as these modules read
it, which is not Trino.

So it fails closed. It refuses, rather than to guess:

- a function that `functions.py` does not name, with arguments that Trino would not take or the
  double does not know; a cast that is not in `casts.py`;
- a construct that `trino.py` does not name, a statement that `queries.py` or `hive.py` do not;
- names and types that Trino does not take, where Spark does: an alias beside itself in a select,
  text for a number (`analysis.py`); a type that is not mapped, and a column of an Iceberg table
  whose timestamps are not timestamp(6) (`types.py`);
- a call, a request or an answer that is not in botocore's model of Athena, or that dbt-athena does
  not make (`server.py`, `service.py`); the same of Glue, S3 and STS (`aws.py`);
- a code block that uses what Spark has only since 3.3, or timestamps in a way of which it is not
  known what 3.2 makes (`calculations.py`).

Such an error may be the double's, and not Athena's: it says NOT_IN_THE_DOUBLE where it is known to
be. Never is an answer empty or guessed.
"""
