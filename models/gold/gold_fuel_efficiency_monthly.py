"""How far each car went on its fuel: one row per car and month."""

from pyspark.sql import functions as F


def model(dbt, spark):
    return monthly_efficiency(dbt.ref("silver_car_telemetry"), dbt.config.get("run_started_at"))


def monthly_efficiency(events, run_started_at):
    """Distance (km), fuel (l) and km per litre of each car's trips, by month of the event, UTC.

    In: silver_car_telemetry; run_started_at as ISO 8601. Out: the columns of
    gold_fuel_efficiency_monthly.
    """
    # What a car is called is what its latest event of the month calls it.
    called = F.max(F.struct("event_timestamp", "event_id", "manufacturer", "model"))
    year_month = never_null(F.date_format("event_timestamp", "yyyy-MM"), "year_month")
    months = events.groupBy("car_chassis", year_month.alias("year_month")).agg(
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


def never_null(column, name):
    """A text that no row lacks; one that does stops the build, rather than go missing.

    The last text is never reached: by it Spark knows that no null is left.
    """
    return F.coalesce(column, F.raise_error(F.lit(f"{name} is null")), F.lit(""))


def exact_sum(column):
    """The sum of a double column, the same in whatever order Spark adds: that of decimals is.

    Doubles too large for decimals are added by size. Null if there is nothing to add.
    """
    exact = F.col(column).cast("decimal(28, 9)")  # so that the sum of 10^10 of them fits, too
    large = F.sort_array(F.collect_list(F.when(exact.isNull(), F.col(column))))
    sum_of_large = F.aggregate(large, F.lit(0.0), lambda total, value: total + value)
    sum_of_exact = F.coalesce(F.sum(exact).cast("double"), F.lit(0.0))
    return F.when(F.count(column) > 0, sum_of_exact + sum_of_large)
