"""Gold tables are compared by their business columns. The order of rows and columns is ignored."""

from datetime import date, datetime, timezone

import pyarrow as pa
import pytest

from python_jobs.bench.gold import TABLES, Content, DifferentGoldError, check_same, content

NOON = datetime(2026, 1, 15, 12)


def table(**columns) -> pa.Table:
    """Return a table of two rows. `columns` replace the default ones."""
    usual = {
        "car_chassis": ["A", "B"],
        "total_km_driven": [0.1 + 0.2, None],
        "telemetry_timestamp": [NOON, None],
        "alert_date": [date(2026, 1, 15), None],
        "processing_timestamp": [NOON, NOON],
    }
    return pa.table(usual | columns)


@pytest.mark.parametrize(
    "same",
    [
        table().take([1, 0]),
        table().select(sorted(table().column_names)),
        table(processing_timestamp=[datetime(2027, 1, 1)] * 2),
        table(total_km_driven=[0.3, None]),
        table(telemetry_timestamp=[NOON.replace(tzinfo=timezone.utc), None]),
        table(telemetry_timestamp=pa.array([NOON, None], pa.timestamp("ns"))),
    ],
    ids=["rows", "columns", "run time", "last digit", "zone", "unit"],
)
def test_what_is_the_same(same):
    assert content(same) == content(table())


@pytest.mark.parametrize(
    "other",
    [
        table(car_chassis=["A", "C"]),
        table(car_chassis=["B", "A"]),
        table(total_km_driven=[0.3001, None]),
        table(total_km_driven=[0.3, 0.0]),
        table(telemetry_timestamp=[NOON, NOON]),
        table(alert_date=[date(2026, 1, 16), None]),
        table(event_id=["1", "2"]),
        table().drop_columns(["alert_date"]),
        table().rename_columns(["car", *table().column_names[1:]]),
        pa.concat_tables([table(), table()]),
    ],
    ids=["value", "swapped", "km", "null", "time", "day", "extra", "missing", "name", "twice"],
)
def test_what_is_not_the_same(other):
    assert content(other) != content(table())


def test_a_repeated_row_does_not_cancel_out():
    row = table().slice(0, 1)
    other = table().slice(1, 1)
    assert content(pa.concat_tables([row, row])) != content(pa.concat_tables([other, other]))


def test_contestants_that_differ_end_the_benchmark():
    gold = {name: Content(2, "abcdefgh12") for name in TABLES}
    check_same({"D cold": gold, "H": dict(gold)})
    different = {**gold, TABLES[1]: Content(3, "12345678ab")}
    with pytest.raises(DifferentGoldError) as told:
        check_same({"D cold": gold, "H": different})
    assert str(told.value).splitlines() == [
        f"{TABLES[1]} differs between contestants:",
        "  D cold: 2 rows, checksum abcdefgh",
        "  H: 3 rows, checksum 12345678",
    ]
