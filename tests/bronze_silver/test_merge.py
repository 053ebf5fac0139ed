"""What a build reads and writes of Bronze and Silver, by Spark's own metrics."""

import json
import os

import pytest

from tests.support.events import AS_OF, COLOR, event
from tests.support.scans import recorded

MODELS = ("bronze_car_events", "stg_car_events", "silver_car_telemetry", "silver_rejected_events")
MONTHS = [f"2025-{month:02}" for month in range(1, 7)]
BROKEN = '{"event_id":'


def version(event_id, at, color, processed=None):
    """A version of an event: at a day of 2025, and created then, if that is known."""
    created = {"processing_timestamp": f"2025-{processed}T00:00:00Z"} if processed else {}
    time = f"2025-{at}T00:00:00Z"
    return event(event_id, {COLOR: color}, event_primary_timestamp=time, **created)


HELD = [
    *(version(f"of {month}", f"{month[5:]}-01", "First") for month in MONTHS),
    version("held is older", "06-02", "Old"),
    version("held was created earlier", "06-02", "Old", "06-03"),
    version("held was created at an unknown time", "06-02", "Old"),
    version("held is newer", "06-02", "New"),
    version("held was created later", "06-02", "New", "06-03"),
    version("held is the same", "06-02", "Same"),
    version("tie", "06-02", "Blue"),
    version("held is of an earlier month", "05-02", "Old"),
    version("held is of a later month", "06-02", "New"),
]
ARRIVED = [
    version("first seen", "04-02", "New"),
    version("held is older", "06-03", "New"),
    version("held was created earlier", "06-02", "New", "06-04"),
    version("held was created at an unknown time", "06-02", "New", "06-04"),
    version("held is newer", "06-01", "Old"),
    version("held was created later", "06-02", "Old", "06-02"),
    version("held is the same", "06-02", "Same"),
    version("tie", "06-02", "Red"),
    version("held is of an earlier month", "03-02", "Older"),
    version("held is of an earlier month", "06-02", "New"),
    version("held is of a later month", "05-02", "Old"),
]


@pytest.fixture(scope="module")
def fleet(dbt, tmp_path_factory, module_schema):
    """A function that lets records land and builds. It returns what dbt says."""
    landing = tmp_path_factory.mktemp("landing")

    def build(**files):
        for name, lines in files.items():
            (landing / f"{name}.jsonl").write_text("\n".join(lines))
        options = {"landing_path": str(landing), **AS_OF}
        result = dbt("run", "--select", *MODELS, schema=module_schema, **options)
        assert result.success, result.text
        return result

    build.landing = landing
    return build


def test_an_increment_reads_silver_once(fleet, spark, read, module_schema):
    """The merge reads the keys of all files, and whole rows of files with a key that arrived."""
    table = f"{module_schema}_silver.silver_car_telemetry"
    rejected = f"{module_schema}_silver.silver_rejected_events"
    fleet(held=[*HELD, BROKEN])
    held = read(f"{module_schema}_silver", "silver_car_telemetry")
    with recorded(spark) as found:
        fleet(arrived=[*ARRIVED, BROKEN])
    colors = {row["event_id"]: row["color"] for row in read(*table.split("."))}
    assert colors == {
        **{row["event_id"]: row["color"] for row in held},
        **{json.loads(text)["event_id"]: "New" for text in ARRIVED},
        **{"held is the same": "Same", "tie": colors["tie"]},
    }
    # Of May and June. No version that lost has changed a row.
    keys, rows = sorted(found.scans[table], key=lambda scan: len(scan.columns))
    assert keys.columns == ("event_id", "_file")
    assert (keys.planned, keys.files, keys.rows) == (len(MONTHS), len(MONTHS), len(held))
    assert (rows.planned, rows.files) == (len(MONTHS), 2)
    assert rows.rows == len([row for row in held if row["event_timestamp"].month > 4])
    # What is rejected never changes, so only its keys are read.
    (keys,) = found.scans[rejected]
    assert keys.columns == ("rejected_event_id",)
    assert len(read(*rejected.split("."))) == 2


@pytest.mark.slow
def test_not_null_is_known_without_reading(fleet, spark, module_schema):
    """What the data test asks is answered by the schema, because Iceberg refuses a null."""
    fleet(held=[*HELD, BROKEN])
    silver = f"{module_schema}_silver.silver_car_telemetry"
    with recorded(spark) as found:
        assert spark.table(silver).where("event_id is null").count() == 0
        assert spark.table(silver).where("color is null").count() == 0
    (scan,) = found.scans[silver]
    assert scan.columns == ("color",)


@pytest.mark.slow
def test_versions_that_come_again_change_nothing(fleet, read, module_schema):
    tables = ["silver_car_telemetry", "silver_rejected_events"]
    fleet(held=[*HELD, BROKEN], arrived=[*ARRIVED, BROKEN])
    before = [sorted(map(str, read(f"{module_schema}_silver", table))) for table in tables]
    for file in fleet.landing.iterdir():
        os.utime(file)
    assert "bronze_car_events: " in fleet().text
    after = [sorted(map(str, read(f"{module_schema}_silver", table))) for table in tables]
    assert after == before


@pytest.mark.slow
def test_many_small_files_do_not_stay_many(fleet, spark, module_schema):
    """Bronze is written where it is read, without a shuffle: by one process for each month.

    Spark reads many small files in one task.
    """
    bronze = f"{module_schema}_bronze.bronze_car_events"
    fleet(many_0=[event("many 0")])
    number = 200
    with recorded(spark) as found:
        fleet(**{f"many_{n}": [event(f"many {n}")] for n in range(1, number)})
    (steps,) = found.steps[bronze]
    assert "Exchange" not in steps
    tasks = 2 * spark.sparkContext.defaultParallelism
    for layer, name in (
        ("bronze", "bronze_car_events"),
        ("silver", "stg_car_events"),
        ("silver", "silver_car_telemetry"),
    ):
        history = f"{module_schema}_{layer}.{name}.snapshots"
        newest = spark.sql(f"select summary from {history} order by committed_at desc").first()
        added = newest.summary
        assert int(added["added-records"]) == number - 1
        assert int(added["added-data-files"]) <= tasks
