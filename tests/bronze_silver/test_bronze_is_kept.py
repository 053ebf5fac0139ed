"""Bronze keeps what has left the landing folder, whatever `--full-refresh` says."""

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
