"""Many small files, and many events: rows, files and memory. No test asserts a duration."""

import shutil

import pytest

from python_jobs.bench import growth
from python_jobs.bench.landing import Landing
from tests.support.events import AS_OF
from tests.support.published import BUILD_TABLES
from tests.support.skips import NO_DISK
from tests.support.spark_work import counted

# A table has at most a file for each month of its events and each task that writes: two of Spark's
# in the tests, two years of months in what the generator makes.
MOST_FILES = {"bronze": 20, "silver": 60, "gold": 60}

# The heap of profiles.yml is 2 GiB. Beyond it are Java's own memory, dbt, and the Python workers.
GIB = 2**30
MOST_MEMORY = 4 * GIB


@pytest.mark.parametrize(
    "files",
    [pytest.param(300, marks=pytest.mark.slow), pytest.param(10_000, marks=pytest.mark.full)],
)
def test_many_small_files_become_few(dbt, spark, tmp_path, schema, files):
    landing = Landing(tmp_path, files, is_split=True)
    for new in (0, files // 100):
        if new:
            landing.add_new_events()
        assert len(list(landing.folder.iterdir())) == files + new
        with counted(spark) as work:
            result = dbt(*BUILD_TABLES, schema=schema, landing_path=str(landing.folder), **AS_OF)
        assert result.success, result.text
        # No file is listed or read in a task of its own.
        assert work.tasks < files
        warehouse = dbt.home / "warehouse"
        held = {each: growth.held(warehouse, f"{schema}_{each}") for each in growth.LAYERS}
        assert held["bronze"].rows == files + new
        for layer, most in MOST_FILES.items():
            assert 0 < held[layer].files <= most, held


@pytest.mark.full
@pytest.mark.parametrize("events", [100_000, 1_000_000, 10_000_000])
def test_many_events(tmp_path, events):
    """All data tests pass, among them that no record is lost, and memory does not grow."""
    needed = events * 5_000
    if shutil.disk_usage(tmp_path).free < needed:
        pytest.skip(f"{events:,} events {NO_DISK} {needed // GIB} GiB")
    found = {each.step: each for each in growth.run(tmp_path, [events], runs=1)}
    rows = {
        step: {layer: tables.rows for layer, tables in found[step].layers.items()}
        for step in (growth.COLD, growth.NOTHING_NEW, growth.NEW)
    }
    assert rows[growth.COLD]["bronze"] == events
    assert rows[growth.NOTHING_NEW] == rows[growth.COLD]
    assert rows[growth.NEW]["bronze"] == events + events // 100
    assert rows[growth.NEW]["gold"] > rows[growth.COLD]["gold"]
    for each in found.values():
        assert each.measured.peak_bytes < MOST_MEMORY, each
        # More files than few events have are files of megabytes.
        for layer, tables in each.layers.items():
            assert tables.files < 2 * MOST_FILES[layer] + tables.size // (8 * 2**20), each
