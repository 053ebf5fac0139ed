"""The fuel efficiency of each car: one row per car and month."""

from pyspark.sql import functions as F


def model(dbt, spark):
    events = dbt.affected(
        dbt.ref("silver_car_telemetry"),
        ["car_chassis", year_month()],
        apart_from=["run_started_at", "as_of_date"],
    )
    return monthly_efficiency(events, dbt.config.get("run_started_at"))


def monthly_efficiency(events, run_started_at):
    """Return distance (km), fuel (l) and km per litre of each car's trips, by month in UTC.

    Args:
        events: silver_car_telemetry.
        run_started_at: The start of the run, as ISO 8601.

    Returns:
        The columns of gold_fuel_efficiency_monthly.
    """
    # The latest event of the month determines the car's manufacturer and model.
    called = F.max(F.struct("event_timestamp", "event_id", "manufacturer", "model"))
    months = events.groupBy("car_chassis", year_month()).agg(
        called.alias("called"),
        exact_sum("trip_distance_km").alias("total_km_driven"),
        exact_sum("trip_fuel_consumed_liters").alias("total_fuel_liters"),
        F.count("trip_distance_km").alias("trip_count"),
    )
    efficiency = F.when(
        F.col("total_fuel_liters") > 0, F.col("total_km_driven") / F.col("total_fuel_liters")
    )
    return months.select(
        "car_chassis",
        F.col("called.manufacturer").alias("manufacturer"),
        F.col("called.model").alias("model"),
        "year_month",
        "total_km_driven",
        "total_fuel_liters",
        efficiency.alias("avg_fuel_efficiency_kmpl"),
        "trip_count",
        F.lit(run_started_at).cast("timestamp").alias("processing_timestamp"),
    )


def year_month():
    """Return the month of an event."""
    month = F.date_format("event_timestamp", "yyyy-MM")
    return never_null(month, "year_month").alias("year_month")


def never_null(column, name):
    """Return a text column without nulls. A null stops the build, so that no row is lost.

    The last text is never reached, but proves to Spark that no null is left.
    """
    return F.coalesce(column, F.raise_error(F.lit(f"{name} is null")), F.lit(""))


def exact_sum(column):
    """Return the sum of a double column, which does not depend on the order of the rows.

    Decimals add up exactly. Doubles too large for decimals are added by size. The sum of nothing is
    null.
    """
    exact = F.col(column).cast("decimal(28, 9)")  # so that a sum of 10^10 values fits, too
    large = F.sort_array(F.collect_list(F.when(exact.isNull(), F.col(column))))
    sum_of_large = F.aggregate(large, F.lit(0.0), lambda total, value: total + value)
    sum_of_exact = F.coalesce(F.sum(exact).cast("double"), F.lit(0.0))
    return F.when(F.count(column) > 0, sum_of_exact + sum_of_large)
