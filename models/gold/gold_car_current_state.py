"""The current state of each car: one row per car, from its latest event."""

from pyspark.sql import Window
from pyspark.sql import functions as F


def model(dbt, spark):
    events = dbt.ref("silver_car_telemetry")
    return current_state(events, dbt.config.get("as_of_date"), dbt.config.get("run_started_at"))


def current_state(events, as_of_date, run_started_at):
    """Return the latest event of each car, and its insurance as of `as_of_date`.

    Args:
        events: silver_car_telemetry.
        as_of_date: The date for insurance, YYYY-MM-DD.
        run_started_at: The start of the run, as ISO 8601.

    Returns:
        The columns of gold_car_current_state.
    """
    newest_first = Window.partitionBy("car_chassis").orderBy(
        F.col("event_timestamp").desc(),
        F.col("current_mileage_km").desc_nulls_last(),
        F.col("event_id").desc(),
    )
    latest = events.withColumn("rank", F.row_number().over(newest_first)).where("rank = 1")

    as_of = F.lit(as_of_date).cast("date")
    days_left = F.datediff("insurance_valid_until", as_of)
    status = (
        F.when(days_left < 0, "EXPIRED")
        .when(days_left <= 90, "EXPIRING_IN_90_DAYS")
        .when(days_left > 90, "ACTIVE")
    )
    return latest.select(
        "car_chassis",
        "manufacturer",
        "model",
        "year",
        "gas_type",
        "insurance_provider",
        "insurance_valid_until",
        "current_mileage_km",
        "fuel_available_liters",
        "telemetry_timestamp",
        status.alias("insurance_status"),
        F.when(days_left < 0, -days_left).alias("insurance_days_expired"),
        "event_timestamp",
        F.lit(run_started_at).cast("timestamp").alias("gold_processing_timestamp"),
    )
