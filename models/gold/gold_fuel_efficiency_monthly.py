"""The fuel efficiency of each car: one row per car and month."""

from pyspark.sql import functions as F

DISTANCE, FUEL = "trip_distance_km", "trip_fuel_consumed_liters"
DECIMAL = "decimal(28, 9)"
SIZE = 9  # binary digits


def model(dbt, spark):
    # The month as columns of Silver, too, so that files of other months are not read.
    month = [year_month(), "event_year", "event_month"]
    events = dbt.affected(
        dbt.ref("silver_car_telemetry"),
        ["car_chassis", *month],
        keys=lambda changed: changed.select("car_chassis", "year_month"),
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
    sizes = [size(DISTANCE).alias("distance_size"), size(FUEL).alias("fuel_size")]
    parts = events.groupBy("car_chassis", year_month(), *sizes).agg(
        called.alias("called"),
        exact_sum(DISTANCE).alias("distance"),
        exact_sum(FUEL).alias("fuel"),
        F.count(DISTANCE).alias("trips"),
    )
    months = parts.groupBy("car_chassis", "year_month").agg(
        F.max("called").alias("called"),
        sum_of_parts("distance").alias("total_km_driven"),
        sum_of_parts("fuel").alias("total_fuel_liters"),
        F.coalesce(F.sum("trips"), F.lit(0)).alias("trip_count"),
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


def size(column):
    """Return 0 for a number that a decimal holds, and for others their binary digits by nines."""
    number = F.abs(column)
    return F.when(number >= 1e19, F.floor(F.log2(number) / SIZE)).otherwise(0)


def unit(size):
    """Return the power of two that makes an integer below 2^63 of each number of a size."""
    return F.pow(F.lit(2.0), size * SIZE - 53)


def exact_sum(column):
    """Return the exact sum of doubles of one size, in its unit. The sum of nothing is null.

    Doubles add up to something else in another order. Decimals and integers do not.
    """
    number = F.col(column)
    integer = (number / unit(size(column))).cast("bigint")
    # decimal(28, 9), so that a sum of 10^10 values fits, too
    exact = F.when(size(column) > 0, integer.cast(DECIMAL)).otherwise(number.cast(DECIMAL))
    return F.sum(exact)


def sum_of_parts(part):
    """Return the sum of the exact sums of each size, as a double. Nearly always, there is one.

    Args:
        part: The column of the sums. Their sizes are in the column <part>_size.
    """
    of_size = F.col(f"{part}_size")
    small = F.sum(F.when(of_size == 0, F.col(part))).cast("double")
    large = F.when(of_size > 0, F.col(part).cast("double") * unit(of_size))
    # In one order. They are few, because a double has few sizes.
    in_order = F.sort_array(F.collect_list(large))
    sum_of_large = F.aggregate(in_order, F.lit(0.0), lambda total, value: total + value)
    return F.when(F.count(part) > 0, F.coalesce(small, F.lit(0.0)) + sum_of_large)
