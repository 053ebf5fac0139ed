"""`dbt source freshness` on a folder of files, and the folder in dbt's catalog."""

import json
import os
import time

import pytest

from tests.support.dbt_runner import make_project

DAY = 24 * 60 * 60

SOURCES = """
sources:
  - name: shop
    schema: {schema}
    tables:
      - name: letters
        external: {{location: "{letters}"}}
        config:
          loaded_at_field: modificationTime
          freshness:
            warn_after: {{count: 1, period: day}}
            error_after: {{count: 2, period: day}}
      - name: texts
        external: {{location: "{letters}"}}
        config:
          loaded_at_field: modificationTime
          freshness: {{warn_after: {{count: 1, period: day}}, filter: "path like '%.txt'"}}
      - name: orders
        config:
          loaded_at_field: ordered_at
          freshness: {{error_after: {{count: 2, period: day}}}}
      - name: customers
"""


@pytest.fixture
def letters(tmp_path):
    """Return the path of a folder that does not exist yet."""
    return tmp_path / "letters"


@pytest.fixture
def run(dbt, spark, tmp_path, letters):
    """Return a function that runs dbt on a project with two file sources and two table sources."""
    schema = tmp_path.name
    spark.sql(f"create namespace {schema}")
    for table, days in {"orders": 3, "customers": 9}.items():
        age = f"current_timestamp() - interval {days} days ordered_at"
        spark.sql(f"create table {schema}.{table} using iceberg as select 1 id, {age}")
    sources = SOURCES.format(schema=schema, letters=letters)
    project = make_project(dbt, tmp_path / "shop", {"models/sources.yml": sources})
    return lambda *args: (project(*args, schema=schema), project.target_path)


def write(file, days=0, text="{}"):
    """Write a file that was last modified `days` ago."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    os.utime(file, (time.time() - days * DAY,) * 2)


@pytest.mark.parametrize(("days", "status"), [(0.9, "pass"), (1.1, "warn"), (2.1, "error")])
def test_a_folder_is_as_fresh_as_its_newest_file(run, letters, days, status):
    write(letters / "old.json", days=30)
    write(letters / "in/a/sub folder/new: 100%.json", days=days)
    write(letters / "_started", days=0)
    write(letters / ".hidden/new.json", days=0)
    result, target = run("source", "freshness", "--select", "source:shop.letters")
    assert result.status == {"letters": status}
    assert result.success == (status != "error")
    [told] = json.loads((target / "sources.json").read_text())["results"]
    assert told["max_loaded_at_time_ago_in_s"] == pytest.approx(days * DAY, abs=60)


def test_a_filter_chooses_among_the_files(run, letters):
    write(letters / "old.txt", days=1.5)
    write(letters / "new.json", days=0)
    result, _ = run("source", "freshness", "--select", "source:shop.letters source:shop.texts")
    assert result.status == {"letters": "pass", "texts": "warn"}


@pytest.mark.parametrize("there", [False, True])
def test_where_nothing_has_landed_one_line_says_so(run, letters, there):
    if there:
        write(letters / "empty.txt", text="")
        write(letters / "_SUCCESS.txt")
    result, _ = run("source", "freshness", "--select", "source:shop.letters source:shop.texts")
    assert not result.success
    assert result.status == {"letters": "runtime error", "texts": "runtime error"}
    in_folder = f"no file with content in {letters}"
    assert f".letters: {in_folder}" in result.message["letters"].splitlines()[-1]
    assert result.message["texts"].endswith(f".texts: {in_folder} where path like '%.txt'")
    assert "Traceback" not in result.text


def test_a_folder_that_cannot_be_read_is_reported_in_one_line(run, letters):
    letters.parent.joinpath("letters").symlink_to(letters.parent / "letters")
    result, _ = run("source", "freshness", "--select", "source:shop.letters")
    assert result.status == {"letters": "runtime error"}
    line = result.message["letters"].splitlines()[-1]
    assert f".letters: cannot read {letters}: " in line
    result, target = run("docs", "generate")
    assert not result.success
    catalog = json.loads((target / "catalog.json").read_text())
    assert any(f".letters: cannot read {letters}: " in error for error in catalog["errors"])
    assert "source.small.shop.customers" in catalog["sources"]
    assert "Traceback" not in result.text


def test_a_table_is_queried_only_if_it_has_a_freshness(run, letters):
    write(letters / "new.txt")
    result, _ = run("source", "freshness")
    assert result.status == {"letters": "pass", "texts": "pass", "orders": "error"}


@pytest.mark.parametrize("there", [False, True])
def test_the_catalog_shows_the_files(run, letters, there):
    if there:
        write(letters / "old.txt", days=3)
        write(letters / "sub/new.txt", text="12345678")
    result, target = run("docs", "generate")
    assert result.success, result.text
    catalog = json.loads((target / "catalog.json").read_text())["sources"]
    told = catalog["source.small.shop.letters"]
    assert told["metadata"]["type"] == "files"
    assert {name: column["type"] for name, column in told["columns"].items()} == {
        "path": "string",
        "modificationTime": "timestamp",
        "length": "bigint",
        "content": "binary",
        "relative_path": "string",
    }
    stats = {id: stat["value"] for id, stat in told["stats"].items() if stat["include"]}
    newest = stats.pop("newest")
    if there:
        changed = time.gmtime((letters / "sub/new.txt").stat().st_mtime)
        assert newest == time.strftime("%Y-%m-%d %H:%M", changed)
    else:
        assert newest == "none"
    assert stats == {
        "location": str(letters),
        "files": 2.0 if there else 0.0,
        "size": 10.0 if there else 0.0,
        "warn_after": "1 day",
        "error_after": "2 days",
    }
    # A table source shows its own columns, row count and last write, and no file statistics.
    customers = catalog["source.small.shop.customers"]
    assert customers["metadata"]["type"] == "table"
    assert [*customers["columns"]] == ["id", "ordered_at"]
    assert {*customers["stats"]} == {"rows", "written", "has_stats"}
    assert customers["stats"]["rows"]["value"] == 1


def test_the_landing_folder_of_this_project_is_judged(dbt, tmp_path, schema):
    write(tmp_path / "cars.JSON.gz", days=3)
    write(tmp_path / "cars.json.zst")
    write(tmp_path / "json")
    result = dbt("source", "freshness", schema=schema, landing_path=str(tmp_path))
    assert result.status["car_events"] == "warn"
