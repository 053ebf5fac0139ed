"""The Silver and Gold tables as hand-written functions of DataFrames."""

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

# The schema for `from_json`. Records that it cannot parse are kept in `unreadable`.
EVENT = """
event_id string, carChassis string, event_primary_timestamp string, processing_timestamp timestamp,
vehicle_static_info struct<
  extraction_timestamp: timestamp, source_system: string,
  data: struct<Model: string, Manufacturer: string, gasType: string, color: string, year: int,
    ModelYear: int, fuelCapacityLiters: double>>,
vehicle_dynamic_state struct<
  insurance_info: struct<extraction_timestamp: timestamp, source_system: string,
    data: struct<provider: string, policy_number: string, validUntil: date>>,
  maintenance_info: struct<extraction_timestamp: timestamp, source_system: string,
    data: struct<last_service_date: date, last_service_mileage: double,
      oil_life_percentage: double>>>,
current_rental_agreement struct<
  extraction_timestamp: timestamp, source_system: string,
  data: struct<agreement_id: string, customer_id: string, rental_start_date: timestamp>>,
trip_data struct<
  trip_summary: struct<extraction_timestamp: timestamp, source_system: string,
    data: struct<tripStartTimestamp: timestamp, tripEndTimestamp: timestamp, tripMileage: double,
      tripFuelLiters: double, tripTimeMinutes: double, tripMaxSpeedKm: double>>,
  vehicle_telemetry_snapshot: struct<extraction_timestamp: timestamp, source_system: string,
    data: struct<currentMileage: double, fuelAvailableLiters: double, engineTempCelsius: double,
      oilTempCelsius: double, batteryChargePerc: double,
      tire_pressures_psi: struct<front_left: double, front_right: double, rear_left: double,
        rear_right: double>>>>,
unreadable string
"""

STATIC, RENTAL = "vehicle_static_info", "current_rental_agreement"
INSURANCE = "vehicle_dynamic_state.insurance_info"
MAINTENANCE = "vehicle_dynamic_state.maintenance_info"
TRIP, TELEMETRY = "trip_data.trip_summary", "trip_data.vehicle_telemetry_snapshot"
TIRES = f"{TELEMETRY}.data.tire_pressures_psi"

# The Silver columns that are read from the event, with their paths.
PATHS = {
    "event_id": "event_id",
    "car_chassis": "carChassis",
    "event_primary_timestamp": "event_primary_timestamp",
    "processing_timestamp": "processing_timestamp",
    "model": f"{STATIC}.data.Model",
    "manufacturer": f"{STATIC}.data.Manufacturer",
    "gas_type": f"{STATIC}.data.gasType",
    "color": f"{STATIC}.data.color",
    "year": f"{STATIC}.data.year",
    "model_year": f"{STATIC}.data.ModelYear",
    "fuel_capacity_liters": f"{STATIC}.data.fuelCapacityLiters",
    "static_info_extracted_at": f"{STATIC}.extraction_timestamp",
    "static_info_source": f"{STATIC}.source_system",
    "insurance_provider": f"{INSURANCE}.data.provider",
    "insurance_policy_number": f"{INSURANCE}.data.policy_number",
    "insurance_valid_until": f"{INSURANCE}.data.validUntil",
    "insurance_extracted_at": f"{INSURANCE}.extraction_timestamp",
    "insurance_source": f"{INSURANCE}.source_system",
    "last_service_date": f"{MAINTENANCE}.data.last_service_date",
    "last_service_mileage_km": f"{MAINTENANCE}.data.last_service_mileage",
    "oil_life_percentage": f"{MAINTENANCE}.data.oil_life_percentage",
    "maintenance_extracted_at": f"{MAINTENANCE}.extraction_timestamp",
    "maintenance_source": f"{MAINTENANCE}.source_system",
    "rental_agreement_id": f"{RENTAL}.data.agreement_id",
    "rental_customer_id": f"{RENTAL}.data.customer_id",
    "rental_start_at": f"{RENTAL}.data.rental_start_date",
    "rental_extracted_at": f"{RENTAL}.extraction_timestamp",
    "rental_source": f"{RENTAL}.source_system",
    "trip_start_at": f"{TRIP}.data.tripStartTimestamp",
    "trip_end_at": f"{TRIP}.data.tripEndTimestamp",
    "trip_distance_km": f"{TRIP}.data.tripMileage",
    "trip_fuel_consumed_liters": f"{TRIP}.data.tripFuelLiters",
    "trip_duration_minutes": f"{TRIP}.data.tripTimeMinutes",
    "trip_max_speed_kmh": f"{TRIP}.data.tripMaxSpeedKm",
    "trip_extracted_at": f"{TRIP}.extraction_timestamp",
    "trip_source": f"{TRIP}.source_system",
    "telemetry_timestamp": f"{TELEMETRY}.extraction_timestamp",
    "telemetry_source": f"{TELEMETRY}.source_system",
    "current_mileage_km": f"{TELEMETRY}.data.currentMileage",
    "fuel_available_liters": f"{TELEMETRY}.data.fuelAvailableLiters",
    "engine_temp_celsius": f"{TELEMETRY}.data.engineTempCelsius",
    "oil_temp_celsius": f"{TELEMETRY}.data.oilTempCelsius",
    "battery_charge_percentage": f"{TELEMETRY}.data.batteryChargePerc",
    "tire_pressure_front_left_psi": f"{TIRES}.front_left",
    "tire_pressure_front_right_psi": f"{TIRES}.front_right",
    "tire_pressure_rear_left_psi": f"{TIRES}.rear_left",
    "tire_pressure_rear_right_psi": f"{TIRES}.rear_right",
}


def parse(spark: SparkSession, landing: str) -> DataFrame:
    """Return each line in the landing folder, its columns, and why it is not an event."""
    options = {"columnNameOfCorruptRecord": "unreadable"}
    lines = spark.read.text(landing, pathGlobFilter="*.jsonl").select(
        F.col("value").alias("raw_record"), F.input_file_name().alias("source_file")
    )
    events = lines.withColumn("event", F.from_json("raw_record", EVENT, options)).select(
        *(F.col(f"event.{path}").alias(name) for name, path in PATHS.items()),
        F.to_timestamp("event.event_primary_timestamp").alias("event_timestamp"),
        F.col("event.unreadable").alias("unreadable"),
        "raw_record",
        "source_file",
        F.current_timestamp().alias("ingested_at"),
    )
    reason = (
        F.when(F.col("unreadable").isNotNull(), "the record cannot be read")
        .when(F.col("event_id").isNull(), "event_id is missing")
        .when(F.col("car_chassis").isNull(), "carChassis is missing")
        .when(F.col("event_timestamp").isNull(), "event_primary_timestamp cannot be read")
    )
    return events.withColumn("rejection_reason", reason)


def telemetry(parsed: DataFrame) -> DataFrame:
    """Return silver_car_telemetry: the newest version of each event."""
    newest_first = Window.partitionBy("event_id").orderBy(
        F.col("event_timestamp").desc(), F.col("processing_timestamp").desc_nulls_last()
    )
    return (
        parsed.where("rejection_reason is null")
        .withColumn("version", F.row_number().over(newest_first))
        .where("version = 1")
        .select(
            *PATHS,
            "event_timestamp",
            F.year("event_timestamp").alias("event_year"),
            F.month("event_timestamp").alias("event_month"),
            F.dayofmonth("event_timestamp").alias("event_day"),
            "source_file",
            "ingested_at",
        )
    )


def rejected(parsed: DataFrame) -> DataFrame:
    """Return silver_rejected_events: the unreadable records, once per file and text."""
    return (
        parsed.where("rejection_reason is not null")
        .withColumn("rejected_event_id", F.sha2(F.concat_ws("|", "source_file", "raw_record"), 256))
        .dropDuplicates(["rejected_event_id"])
        .select(
            *("rejected_event_id", "event_id", "car_chassis", "rejection_reason"),
            *("raw_record", "source_file", "ingested_at"),
        )
    )


def current_state(events: DataFrame, as_of_date: str) -> DataFrame:
    """Return gold_car_current_state: the latest event of each car."""
    latest_first = Window.partitionBy("car_chassis").orderBy(
        F.col("event_timestamp").desc(),
        F.col("current_mileage_km").desc_nulls_last(),
        F.col("event_id").desc(),
    )
    days_left = F.datediff("insurance_valid_until", F.lit(as_of_date).cast("date"))
    return (
        events.withColumn("place", F.row_number().over(latest_first))
        .where("place = 1")
        .select(
            *("car_chassis", "manufacturer", "model", "year", "gas_type", "insurance_provider"),
            *("insurance_valid_until", "current_mileage_km", "fuel_available_liters"),
            "telemetry_timestamp",
            F.when(days_left < 0, "EXPIRED")
            .when(days_left <= 90, "EXPIRING_IN_90_DAYS")
            .when(days_left > 90, "ACTIVE")
            .alias("insurance_status"),
            F.when(days_left < 0, -days_left).alias("insurance_days_expired"),
            "event_timestamp",
            F.current_timestamp().alias("gold_processing_timestamp"),
        )
    )


def monthly_efficiency(events: DataFrame) -> DataFrame:
    """Return gold_fuel_efficiency_monthly: distance and fuel of each car and month."""
    return (
        events.groupBy("car_chassis", F.date_format("event_timestamp", "yyyy-MM").alias("month"))
        .agg(
            F.max(F.struct("event_timestamp", "event_id", "manufacturer", "model")).alias("latest"),
            F.sum("trip_distance_km").alias("km"),
            F.sum("trip_fuel_consumed_liters").alias("liters"),
            F.count("trip_distance_km").alias("trip_count"),
        )
        .select(
            "car_chassis",
            "latest.manufacturer",
            "latest.model",
            F.col("month").alias("year_month"),
            F.col("km").alias("total_km_driven"),
            F.col("liters").alias("total_fuel_liters"),
            F.expr("case when liters > 0 then km / liters end").alias("avg_fuel_efficiency_kmpl"),
            "trip_count",
            F.current_timestamp().alias("processing_timestamp"),
        )
    )


def alerts(events: DataFrame, rules: DataFrame) -> DataFrame:
    """Return gold_performance_alerts: events that break a rule, with the gravest of a type."""
    tires = ["front_left", "front_right", "rear_left", "rear_right"]
    readings = events.withColumn(
        "lowest_tire_pressure_psi", F.least(*(f"tire_pressure_{tire}_psi" for tire in tires))
    )
    metrics = [
        *("engine_temp_celsius", "oil_temp_celsius", "trip_max_speed_kmh", "current_mileage_km"),
        *("fuel_available_liters", "lowest_tire_pressure_psi"),
    ]
    value = F.coalesce(*(F.when(F.col("metric") == name, F.col(name)) for name in metrics))
    critical_first = Window.partitionBy("event_id", "alert_type").orderBy(
        F.col("alert_severity"), F.col("threshold").desc()
    )
    return (
        readings.crossJoin(F.broadcast(rules))
        .withColumn("alert_value", value)
        .where(
            "(comparison = 'above' and alert_value > threshold"
            " or comparison = 'below' and alert_value < threshold)"
            " and (not only_with_fuel_tank or fuel_capacity_liters > 0)"
        )
        .withColumn("place", F.row_number().over(critical_first))
        .where("place = 1")
        .select(
            F.sha2(F.to_json(F.struct("event_id", "alert_type")), 256).alias("alert_id"),
            *("car_chassis", "alert_type", "alert_severity"),
            F.concat_ws(" ", "metric", F.lit("is"), "alert_value", "comparison", "threshold").alias(
                "alert_message"
            ),
            *("alert_value", "current_mileage_km", "fuel_available_liters", "telemetry_timestamp"),
            F.current_timestamp().alias("alert_generated_timestamp"),
            F.to_date("event_timestamp").alias("alert_date"),
        )
    )


def read_rules(spark: SparkSession, file: str) -> DataFrame:
    """Return the alert rules of seeds/alert_rules.csv."""
    schema = (
        "alert_type string, metric string, comparison string, threshold double,"
        " alert_severity string, only_with_fuel_tank boolean"
    )
    return spark.read.csv(file, schema=schema, header=True)
