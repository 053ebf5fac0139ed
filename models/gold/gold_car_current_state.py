"""The current state of each car: one row per car, from its latest event."""

from pyspark.sql import Window
from pyspark.sql import functions as F


def model(dbt, spark):
    as_of_date = dbt.config.get("as_of_date")
    events = dbt.affected(
        dbt.ref("silver_car_telemetry"),
        ["car_chassis"],
        also={"as_of_date": lambda held: judged_otherwise(held, as_of_date)},
        apart_from=["run_started_at"],
    )
    return current_state(events, as_of_date, dbt.config.get("run_started_at"))


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
    status, days_expired = insurance(as_of_date)
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
        days_expired.alias("insurance_days_expired"),
        "event_timestamp",
        F.lit(run_started_at).cast("timestamp").alias("gold_processing_timestamp"),
    )


def insurance(as_of_date):
    """Return the status of the insurance as of a date, and the days since it ended."""
    days_left = F.datediff("insurance_valid_until", F.lit(as_of_date).cast("date"))
    status = (
        F.when(days_left < 0, "EXPIRED")
        .when(days_left <= 90, "EXPIRING_IN_90_DAYS")
        .when(days_left > 90, "ACTIVE")
    )
    return status, F.when(days_left < 0, -days_left)


def judged_otherwise(cars, as_of_date):
    """Return the cars whose insurance was judged as of another date, with another result."""
    status, days_expired = insurance(as_of_date)
    is_the_same = status.eqNullSafe(F.col("insurance_status"))
    return cars.where(~(is_the_same & days_expired.eqNullSafe(F.col("insurance_days_expired"))))
