"""H and S: the Silver and Gold tables in PySpark that was written by hand in an afternoon.

    python hand_written.py LANDING WAREHOUSE RULES AS_OF_DATE ICEBERG_JAR [JOB ...]

Without JOB, all jobs run in one session (H). S runs this file once per job. Nothing is tuned:
Spark's defaults, one write after the other. It reads only JSON lines.
"""

import sys

import tables
from pyspark.sql import DataFrame, SparkSession


def main(landing: str, warehouse: str, rules: str, as_of: str, jar: str, *jobs: str) -> None:
    """Build the tables of the named jobs, or all of them."""
    spark = (
        SparkSession.builder.appName("lakehouse")
        .master("local[*]")
        .config("spark.jars", jar)
        .config(
            "spark.sql.extensions",
            "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        )
        .config("spark.sql.catalog.lakehouse", "org.apache.iceberg.spark.SparkCatalog")
        .config("spark.sql.catalog.lakehouse.type", "hadoop")
        .config("spark.sql.catalog.lakehouse.warehouse", warehouse)
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.driver.memory", "2g")
        .getOrCreate()
    )

    def write(frame: DataFrame, name: str) -> None:
        frame.writeTo(f"lakehouse.{name}").using("iceberg").createOrReplace()

    def silver() -> None:
        parsed = tables.parse(spark, landing)
        write(tables.telemetry(parsed), "silver.silver_car_telemetry")
        write(tables.rejected(parsed), "silver.silver_rejected_events")

    def events() -> DataFrame:
        return spark.table("lakehouse.silver.silver_car_telemetry")

    def state() -> None:
        write(tables.current_state(events(), as_of), "gold.gold_car_current_state")

    def efficiency() -> None:
        write(tables.monthly_efficiency(events()), "gold.gold_fuel_efficiency_monthly")

    def alerts() -> None:
        frame = tables.alerts(events(), tables.read_rules(spark, rules))
        write(frame, "gold.gold_performance_alerts")

    all_jobs = {"silver": silver, "state": state, "efficiency": efficiency, "alerts": alerts}
    for job in jobs or all_jobs:
        all_jobs[job]()
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
