"""Spark in the dbt process: which Java, which settings, and the one session."""
