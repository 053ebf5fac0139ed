"""Bronze keeps records whose files have left the landing folder, even with `--full-refresh`."""

import pytest

EVENT = '{"event_id":"%s","carChassis":"c1","event_primary_timestamp":"2026-01-1%sT08:00:00Z"}'


@pytest.mark.slow
def test_bronze_is_overwritten_by_name_only(dbt, read, tmp_path, schema):
    landing = tmp_path / "landing"
    landing.mkdir()

    def run(*arguments, models=("bronze_car_events", "stg_car_events"), **variables):
        variables = {"landing_path": str(landing), "as_of_date": "2026-01-15"} | variables
        return dbt("run", "--select", *models, *arguments, schema=schema, **variables)

    def files():
        bronze, silver = (("bronze", "bronze_car_events"), ("silver", "stg_car_events"))
        return [
            sorted(row["source_file"] for row in read(f"{schema}_{layer}", table))
            for layer, table in (bronze, silver)
        ]

    # With no files in Bronze yet, a missing landing folder is not an error.
    assert run(landing_path=str(tmp_path / "later")).success
    (landing / "a.json").write_text(EVENT % ("old", 0))
    assert run().success
    (landing / "a.json").unlink()
    (landing / "b.json").write_text(EVENT % ("new", 1))
    result = run("--full-refresh")
    assert result.success, result.text
    assert files() == 2 * [["a.json", "b.json"]]

    # A missing landing folder, for example after a typo.
    for arguments, variables in (
        (("--full-refresh",), {"overwrite": "bronze_car_events"}),
        ((), {"write_audit_publish": False}),
    ):
        typo = str(tmp_path / "landnig")
        result = run(*arguments, landing_path=typo, **variables)
        assert not result.success
        told = result.message["bronze_car_events"]
        assert f"landing.car_events: there is no {typo}, and {schema}_bronze.bronze_car_" in told
    # An empty folder is allowed. The variable `overwrite` has no effect without --full-refresh.
    (landing / "b.json").rename(tmp_path / "b.json")
    assert run(overwrite="bronze_car_events").success
    assert files() == 2 * [["a.json", "b.json"]]

    # Bronze is overwritten only if --full-refresh and `overwrite` are both given.
    (tmp_path / "b.json").rename(landing / "b.json")
    result = run("--full-refresh", overwrite="bronze_car_events")
    assert result.success, result.text
    assert files() == 2 * [["b.json"]]


def test_what_bronze_has_is_known_without_reading_it(dbt, read, spark, tmp_path, schema):
    landing = tmp_path / "landing"
    landing.mkdir()
    bronze = f"{schema}_bronze.bronze_car_events"
    data = dbt.home / "warehouse" / f"{schema}_bronze" / "bronze_car_events" / "data"
    away = tmp_path / "away"

    def build(*arguments):
        variables = {"landing_path": str(landing), "as_of_date": "2026-01-15"}
        return dbt("run", "--select", "bronze_car_events", *arguments, schema=schema, **variables)

    def land(name):
        (landing / name).write_text(EVENT % (name, 0))

    def files():
        return sorted(row["source_file"] for row in read(f"{schema}_bronze", "bronze_car_events"))

    land("a.json")
    assert build().success
    land("b.jsonl")
    result = build()
    assert result.success, result.text
    assert any(f"{bronze}: 1 row written in 1 file, " in line for line in result.said)
    # Neither a compaction nor a build without new files changes rows.
    whole = "options => map('rewrite-all', 'true')"
    spark.sql(f"call system.rewrite_data_files(table => '{bronze}', {whole})")
    assert build().success

    # Without Bronze's data files, a build still finds the new files from the metadata.
    data.rename(away)
    land("c.json")
    result = build()
    # Only the status of the model is checked: the summary of the command reads a row of Bronze.
    assert result.status["bronze_car_events"] == "success", result.text
    for file in [file for file in away.rglob("*") if file.is_file()]:
        (data / file.relative_to(away)).parent.mkdir(parents=True, exist_ok=True)
        file.rename(data / file.relative_to(away))
    assert files() == ["a.json", "b.jsonl", "c.json"]

    # Files whose rows are missing from Bronze, for any reason, are read again.
    land("d.json")
    assert build("--empty").success
    assert files() == ["a.json", "b.jsonl", "c.json"]
    (before,) = spark.sql(f"select snapshot_id from {bronze}.refs where name = 'main'").first()
    land("e.json")
    assert build().success
    everything = ["a.json", "b.jsonl", "c.json", "d.json", "e.json"]
    assert files() == everything
    spark.sql(f"call system.rollback_to_snapshot('{bronze}', {before})")
    assert files() == ["a.json", "b.jsonl", "c.json"]
    assert build().success
    assert files() == everything
    spark.sql(f"delete from {bronze} where source_file in ('a.json', 'e.json')")
    assert build().success
    assert files() == everything
    # If the metadata is not enough, the rows themselves are read.
    spark.sql(f"delete from {bronze} where source_file = 'a.json'")
    data.rename(away / "again")
    assert build().status["bronze_car_events"] == "error"
