"""The revenue of each day."""

from pyspark.sql import functions as F


def model(dbt, spark):
    return per_day(dbt.ref("stg_payments"))


def per_day(payments):
    """Return one row per day with payments."""
    days = payments.where("paid_on is not null").groupBy("paid_on")
    revenue = days.agg(F.sum("amount").cast("decimal(18,2)").alias("revenue"))
    return revenue.select("paid_on", "revenue")
