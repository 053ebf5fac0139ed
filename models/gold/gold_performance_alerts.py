"""Alerts: one row per event and type of alert, by the rules of `alert_rules`."""

from pyspark.sql import Window
from pyspark.sql import functions as F


def model(dbt, spark):
    rules = dbt.ref("alert_rules")
    types = rules.select("alert_type").distinct()
    events = dbt.affected(
        dbt.ref("silver_car_telemetry"),
        # With the time, so that files of other months are not read.
        ["event_id", "event_timestamp"],
        keys=lambda changed: changed.crossJoin(F.broadcast(types)).select(alert_id()),
        apart_from=["run_started_at", "as_of_date"],
    )
    return alerts(events, rules, dbt.config.get("run_started_at"))


def alerts(events, rules, run_started_at):
    """Return each event that breaks a rule. Of several rules of one type, the most severe counts.

    Args:
        events: silver_car_telemetry.
        rules: The seed alert_rules. Its `metric` is a column of doubles of the events, or
            `lowest_tire_pressure_psi`.
        run_started_at: The start of the run, as ISO 8601.

    Returns:
        The columns of gold_performance_alerts.
    """
    tires = ["front_left", "front_right", "rear_left", "rear_right"]
    readings = events.withColumn(
        "lowest_tire_pressure_psi", F.least(*[f"tire_pressure_{tire}_psi" for tire in tires])
    )
    metrics = [name for name, kind in readings.dtypes if kind == "double"]
    rules = whole(rules, metrics)
    value = F.coalesce(*[F.when(F.col("metric") == name, F.col(name)) for name in metrics])
    is_broken = F.when(F.col("comparison") == "above", value > F.col("threshold")).when(
        F.col("comparison") == "below", value < F.col("threshold")
    )
    applies = ~F.col("only_with_fuel_tank") | (F.col("fuel_capacity_liters") > 0)
    gravity = F.when(F.col("alert_severity") == "CRITICAL", 2).otherwise(1)
    gravest_first = Window.partitionBy("event_id", "alert_type").orderBy(
        gravity.desc(), F.col("threshold").desc()
    )
    broken = (
        readings.crossJoin(F.broadcast(rules))
        .where(is_broken & applies)
        .withColumn("rank", F.row_number().over(gravest_first))
        .where("rank = 1")
    )
    return broken.select(
        alert_id(),
        "car_chassis",
        "alert_type",
        "alert_severity",
        F.concat_ws(" ", "metric", F.lit("is"), value, "comparison", "threshold").alias(
            "alert_message"
        ),
        value.alias("alert_value"),
        "current_mileage_km",
        "fuel_available_liters",
        "telemetry_timestamp",
        F.lit(run_started_at).cast("timestamp").alias("alert_generated_timestamp"),
        F.to_date("event_timestamp").alias("alert_date"),
    )


def alert_id():
    """Return the id of an event's alert of a type. It is the same in each run."""
    hashed = F.sha2(F.to_json(F.struct("event_id", "alert_type")), 256)
    return never_null(hashed, "alert_id is null").alias("alert_id")


def whole(rules, metrics):
    """Return the rules. An invalid cell would disable a rule silently, so it stops the build."""
    is_known = {
        "metric": F.col("metric").isin(metrics),
        "comparison": F.col("comparison").isin("above", "below"),
    }
    cells = []
    for name, kind in rules.dtypes:
        known = F.when(is_known.get(name, F.lit(True)), F.col(name))
        words = f"alert_rules: a cell of {name} is empty, or nothing that is known"
        cells.append(never_null(known, words, kind).alias(name))
    return rules.select(cells)


def never_null(column, words, kind="string"):
    """Return a column without nulls. A null stops the build with `words`, so that no row is lost.

    The last value is never reached, but proves to Spark that no null is left.
    """
    return F.coalesce(column, F.raise_error(F.lit(words)), F.lit(0).cast(kind))
