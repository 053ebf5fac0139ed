"""Reads Spark's analyzed plans. Knows no dbt."""
