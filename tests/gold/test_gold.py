"""The Gold transforms on a few rows of Silver."""

import itertools
from datetime import date, datetime, timezone

import pytest
import yaml
from pyspark.sql import functions as F

from tests.support.dbt_runner import ROOT
from tests.support.models import python_model

RUN = "2026-01-15T12:00:00+00:00"


@pytest.fixture(scope="module")
def silver(spark):
    """Return a function that creates rows of silver_car_telemetry. Missing values are null."""
    models = yaml.safe_load((ROOT / "models/silver/_silver__models.yml").read_text())["models"]
    columns = next(m["columns"] for m in models if m["name"] == "silver_car_telemetry")
    schema = ", ".join(f"{column['name']} {column['data_type']}" for column in columns)

    def frame(*rows):
        names = [column["name"] for column in columns]
        return spark.createDataFrame([[row.get(name) for name in names] for row in rows], schema)

    return frame


@pytest.fixture(scope="module")
def rules(spark):
    """Return the seed alert_rules with the types that dbt gives it."""
    types = "alert_type string, metric string, comparison string, threshold double"
    types += ", alert_severity string, only_with_fuel_tank boolean"
    seed = str(ROOT / "seeds/alert_rules.csv")
    return spark.read.csv(seed, header=True, schema=types)


def event(car="A", at="2025-11-04 14:30:00", **values):
    time = datetime.fromisoformat(at).replace(tzinfo=timezone.utc)
    return {"event_id": f"{car}-{at}", "car_chassis": car, "event_timestamp": time, **values}


class TestCurrentState:
    def state(self, frame, as_of="2026-01-15"):
        return python_model("gold/gold_car_current_state").current_state(frame, as_of, RUN)

    def test_its_columns_are_those_of_its_contract(self, silver):
        models = yaml.safe_load((ROOT / "models/gold/_gold__models.yml").read_text())["models"]
        columns = next(m["columns"] for m in models if m["name"] == "gold_car_current_state")
        expected = [(column["name"], column["data_type"]) for column in columns]
        assert self.state(silver()).dtypes == expected

    def test_one_row_per_car_from_its_latest_event(self, silver):
        found = self.state(
            silver(
                event("A", "2025-11-04 10:00:00", current_mileage_km=10.0),
                event("A", "2025-11-05 10:00:00", current_mileage_km=5.0),
                event("B", "2025-11-01 10:00:00", current_mileage_km=7.0),
            )
        ).select("car_chassis", "current_mileage_km")
        assert sorted(found.collect()) == [("A", 5.0), ("B", 7.0)]

    def test_at_equal_times_the_higher_odometer_and_then_the_id_decides(self, silver):
        found = self.state(
            silver(
                event("A", current_mileage_km=10.0, color="", event_id="1", model="low"),
                event("A", current_mileage_km=None, event_id="9", model="unknown"),
                event("A", current_mileage_km=20.0, event_id="2", model="high"),
                event("A", current_mileage_km=20.0, event_id="3", model="highest id"),
            )
        ).select("model")
        assert found.collect() == [("highest id",)]

    @pytest.mark.parametrize(
        ("valid_until", "status", "days_expired"),
        [
            (date(2026, 1, 14), "EXPIRED", 1),
            (date(2025, 1, 15), "EXPIRED", 365),
            (date(2026, 1, 15), "EXPIRING_IN_90_DAYS", None),
            (date(2026, 4, 15), "EXPIRING_IN_90_DAYS", None),
            (date(2026, 4, 16), "ACTIVE", None),
            (None, None, None),
        ],
    )
    def test_insurance(self, silver, valid_until, status, days_expired):
        row = self.state(silver(event(insurance_valid_until=valid_until))).first()
        assert (row.insurance_status, row.insurance_days_expired) == (status, days_expired)

    def test_insurance_is_judged_by_the_day_asked_for(self, silver):
        frame = silver(event(insurance_valid_until=date(2026, 1, 15)))
        assert self.state(frame, "2026-01-16").first().insurance_status == "EXPIRED"


class TestFuelEfficiency:
    def months(self, frame):
        return python_model("gold/gold_fuel_efficiency_monthly").monthly_efficiency(frame, RUN)

    def test_sums_and_ratio_by_car_and_month(self, silver):
        def trip(at, km, liters, car="A"):
            return event(car, at, trip_distance_km=km, trip_fuel_consumed_liters=liters)

        found = self.months(
            silver(
                trip("2025-11-01 00:00:00", 100.0, 8.0),
                trip("2025-11-30 23:59:59", 50.0, 4.0),
                trip("2025-12-01 00:00:00", 30.0, 0.0),
                trip("2025-11-01 00:00:00", 7.0, 1.0, car="B"),
            )
        ).drop("manufacturer", "model", "processing_timestamp")
        expected = [
            ("A", "2025-11", 150.0, 12.0, 12.5, 2),
            ("A", "2025-12", 30.0, 0.0, None, 1),
            ("B", "2025-11", 7.0, 1.0, 7.0, 1),
        ]
        assert sorted(found.collect()) == expected

    def test_event_without_a_trip_counts_no_trip(self, silver):
        row = self.months(silver(event(), event(at="2025-11-05 00:00:00"))).first()
        assert (row.trip_count, row.total_km_driven, row.avg_fuel_efficiency_kmpl) == (
            0,
            None,
            None,
        )

    def test_the_sum_does_not_depend_on_the_order(self, silver):
        # As doubles, (0.1 + 0.2) + 0.3 differs from 0.1 + (0.2 + 0.3).
        trips = [event(at=f"2025-11-0{n} 00:00:00", trip_distance_km=n / 10) for n in (1, 2, 3)]
        sums = {
            self.months(silver(*order)).first().total_km_driven for order in (trips, trips[::-1])
        }
        assert sums == {0.6}

    def test_the_sum_of_values_too_large_for_decimals_does_not_depend_on_the_order(self, silver):
        lengths = (1e30, 1.5, -1e30)
        trips = [
            event(at=f"2025-11-0{i} 00:00:00", trip_distance_km=lengths[i - 1]) for i in (1, 2, 3)
        ]
        sums = {
            self.months(silver(*order)).first().total_km_driven
            for order in itertools.permutations(trips)
        }
        assert sums == {1.5}

    def test_no_trip_is_too_long_to_be_added(self, silver):
        trips = [event(at=f"2025-11-0{n} 00:00:00", trip_distance_km=1e300) for n in (1, 2)]
        assert self.months(silver(*trips)).first().total_km_driven == 2e300

    def test_a_car_has_the_name_of_its_latest_event(self, silver):
        row = self.months(
            silver(
                event(at="2025-11-02 00:00:00", model="new", manufacturer="N"),
                event(at="2025-11-01 00:00:00", model="old", manufacturer="O"),
            )
        ).first()
        assert (row.model, row.manufacturer) == ("new", "N")


class TestAlerts:
    def alerts(self, frame, rules):
        rows = python_model("gold/gold_performance_alerts").alerts(frame, rules, RUN).collect()
        return sorted((row.alert_type, row.alert_severity, row.alert_value) for row in rows)

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ({"engine_temp_celsius": 100.0}, []),
            ({"engine_temp_celsius": 100.5}, [("OVERHEAT_ENGINE", "CRITICAL", 100.5)]),
            ({"oil_temp_celsius": 110.0}, []),
            ({"oil_temp_celsius": 111.0}, [("OVERHEAT_OIL", "WARNING", 111.0)]),
            ({"trip_max_speed_kmh": 110.0}, []),
            ({"trip_max_speed_kmh": 111.0}, [("SPEEDING", "WARNING", 111.0)]),
            ({"current_mileage_km": 100000.0}, []),
            ({"current_mileage_km": 100001.0}, [("HIGH_MILEAGE", "WARNING", 100001.0)]),
            (
                {"tire_pressure_front_left_psi": 29.9, "tire_pressure_rear_right_psi": 30.0},
                [("LOW_TIRE_PRESSURE", "WARNING", 29.9)],
            ),
            ({"fuel_available_liters": 10.0, "fuel_capacity_liters": 50.0}, []),
            (
                {"fuel_available_liters": 5.0, "fuel_capacity_liters": 50.0},
                [("LOW_FUEL", "WARNING", 5.0)],
            ),
            (
                {"fuel_available_liters": 4.9, "fuel_capacity_liters": 50.0},
                [("LOW_FUEL", "CRITICAL", 4.9)],
            ),
            ({"fuel_available_liters": 0.0, "fuel_capacity_liters": 0.0}, []),
            ({"fuel_available_liters": 0.0}, []),
            ({}, []),
        ],
    )
    def test_rules(self, silver, rules, values, expected):
        assert self.alerts(silver(event(**values)), rules) == expected

    def test_an_event_gets_one_row_for_each_type(self, silver, rules):
        hot = event(engine_temp_celsius=120.0, oil_temp_celsius=120.0, trip_max_speed_kmh=150.0)
        types = [alert[0] for alert in self.alerts(silver(hot), rules)]
        assert types == ["OVERHEAT_ENGINE", "OVERHEAT_OIL", "SPEEDING"]

    def test_the_rules_are_data(self, silver, spark, rules):
        row = [("COLD_BATTERY", "battery_charge_percentage", "below", 5.0, "WARNING", False)]
        added = rules.union(spark.createDataFrame(row, rules.schema))
        found = self.alerts(silver(event(battery_charge_percentage=4.0)), added)
        assert found == [("COLD_BATTERY", "WARNING", 4.0)]

    @pytest.mark.parametrize(
        "column", ["alert_type", "metric", "comparison", "threshold", "only_with_fuel_tank"]
    )
    def test_an_empty_cell_stops_the_build(self, silver, rules, column):
        """Otherwise the rule would be disabled without notice."""
        with pytest.raises(Exception, match=f"alert_rules: a cell of {column} is empty, or noth"):
            self.alerts(
                silver(event()), rules.withColumn(column, F.expr(f"nullif({column}, {column})"))
            )

    def test_what_no_rule_knows_stops_the_build(self, silver, rules):
        for column, value in (("metric", "speed"), ("comparison", "over")):
            with pytest.raises(Exception, match=f"alert_rules: a cell of {column} is empty, or no"):
                self.alerts(silver(event()), rules.withColumn(column, F.lit(value)))

    def test_an_alert_reads_well_and_keeps_its_id(self, silver, rules):
        frame = silver(event(engine_temp_celsius=111.0))
        first, again = (
            python_model("gold/gold_performance_alerts").alerts(frame, rules, run).first()
            for run in (RUN, "2027-01-01T00:00:00+00:00")
        )
        assert first.alert_message == "engine_temp_celsius is 111.0 above 100.0"
        assert first.alert_date == date(2025, 11, 4)
        assert first.alert_id == again.alert_id
        assert first.alert_id != frame.first().event_id
