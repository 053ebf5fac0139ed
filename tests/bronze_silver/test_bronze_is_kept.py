"""Bronze keeps records whose files have left the landing folder, also with `--full-refresh`."""

EVENT = '{"event_id":"%s","carChassis":"c1","event_primary_timestamp":"2026-01-1%sT08:00:00Z"}'


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

    # Nothing has landed yet, and nothing is lost.
    assert run(landing_path=str(tmp_path / "later")).success
    (landing / "a.json").write_text(EVENT % ("old", 0))
    assert run().success
    (landing / "a.json").unlink()
    (landing / "b.json").write_text(EVENT % ("new", 1))
    result = run("--full-refresh")
    assert result.success, result.text
    assert files() == 2 * [["a.json", "b.json"]]

    # A folder that is not there, as by a slip of the pen.
    for arguments, variables in (
        (("--full-refresh",), {"overwrite": "bronze_car_events"}),
        ((), {"write_audit_publish": False}),
    ):
        typo = str(tmp_path / "landnig")
        result = run(*arguments, landing_path=typo, **variables)
        assert not result.success
        told = result.message["bronze_car_events"]
        assert f"landing.car_events: there is no {typo}, and {schema}_bronze.bronze_car_" in told
    # One that is empty is fine; and a name without --full-refresh is none.
    (landing / "b.json").rename(tmp_path / "b.json")
    assert run(overwrite="bronze_car_events").success
    assert files() == 2 * [["a.json", "b.json"]]

    # Asked for by name.
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
    # A compaction changes no row, and neither does a build of nothing new.
    whole = "options => map('rewrite-all', 'true')"
    spark.sql(f"call system.rewrite_data_files(table => '{bronze}', {whole})")
    assert build().success

    # With none of Bronze's rows at hand, a build knows what is new.
    data.rename(away)
    land("c.json")
    result = build()
    # (What the command says at its end of Bronze reads a row.)
    assert result.status["bronze_car_events"] == "success", result.text
    for file in [file for file in away.rglob("*") if file.is_file()]:
        (data / file.relative_to(away)).parent.mkdir(parents=True, exist_ok=True)
        file.rename(data / file.relative_to(away))
    assert files() == ["a.json", "b.jsonl", "c.json"]

    # Whatever else becomes of the rows, what Bronze has not is read again.
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
    # Where that cannot be known without its rows, they are read.
    spark.sql(f"delete from {bronze} where source_file = 'a.json'")
    data.rename(away / "again")
    assert build().status["bronze_car_events"] == "error"
