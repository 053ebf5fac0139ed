"""The pull-request check in a copy of this repository, as an author would run it."""

import json
import shutil

import pytest
from dbt_spark_contracts.cli.check_pull_request.base import commit_of
from dbt_spark_contracts.cli.check_pull_request.locate import Locator
from dbt_spark_contracts.cli.check_pull_request.problem import CannotCheck
from dbt_spark_contracts.cli.check_pull_request.project import Project

from tests.support.repository import Repository

GOLD_YML = "models/gold/_gold__models.yml"
CURRENT_STATE = "models/gold/gold_car_current_state.py"
GAS_TYPE = """      - name: gas_type
        data_type: string
        description: "Fuel type: Gas, Ethanol, Flex, Hybrid, Electric …."
"""
EFFICIENCY = "models/gold/gold_fuel_efficiency_monthly.py"
ALERTS = "models/gold/gold_performance_alerts.py"
ALERTS_FIRST = '        "car_chassis",\n        "alert_type",\n'
ALERT_ID = "      - name: alert_id\n"
VERSIONS = """    latest_version: 1
    versions:
      - v: 1
        defined_in: gold_car_current_state
        config: {alias: gold_car_current_state}
      - v: 2
        columns:
          - include: all
            exclude: [gas_type]

"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    return Repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture
def branch(repository):
    """Yield the repository on a new branch, and reset it after the test."""
    main = repository.git("rev-parse", "main").strip()
    repository.begin_branch()
    yield repository
    repository.end_branch(main)


def add_version_2_without_gas_type(branch):
    version_2 = CURRENT_STATE.replace(".py", "_v2.py")
    shutil.copy(branch.root / CURRENT_STATE, branch.root / version_2)
    branch.change(version_2, '        "gas_type",\n', "")
    following = "  - name: gold_fuel_efficiency_monthly"
    branch.change(GOLD_YML, following, VERSIONS + following)


def bases_kept(repository) -> set[str]:
    """Return the names of what is cached for base commits."""
    folder = repository.root / "target/pull_request/bases"
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


@pytest.mark.slow
def test_what_is_kept_of_a_base_is_used_by_the_next_check(branch):
    commit = branch.git("rev-parse", "--short=12", "main").strip()
    first = branch.check("--no-build")
    assert first.returncode == 0, first.stdout + first.stderr
    kept = {name for name in bases_kept(branch) if name.startswith(commit)}
    (state,) = (name for name in kept if name.endswith("-state"))
    # Change the cached manifest as if the base commit had promised another column.
    manifest = branch.root / "target/pull_request/bases" / state / "manifest.json"
    whole = manifest.read_text()
    changed = json.loads(whole)
    columns = changed["nodes"]["model.car_lakehouse.gold_car_current_state"]["columns"]
    columns["promised"] = {**columns["car_chassis"], "name": "promised"}
    changed["nodes"]["model.car_lakehouse.gold_car_current_state"]["contract"]["checksum"] = "1"
    manifest.write_text(json.dumps(changed))
    again = branch.check("--no-build")
    manifest.write_text(whole)
    assert again.returncode == 1, again.stdout + again.stderr
    assert "gold_car_current_state: Columns were removed: promised" in again.stdout
    assert branch.check("--no-build").returncode == 0


@pytest.mark.slow
def test_unchanged_branch_passes_though_main_went_on(branch, tmp_path):
    branch.git("switch", "--quiet", "main")
    branch.change(GOLD_YML, GAS_TYPE, GAS_TYPE + "      - {name: colour, data_type: string}\n")
    branch.commit()
    branch.git("switch", "--quiet", "change")
    warehouse = tmp_path / "warehouse"

    checked = branch.check(LAKEHOUSE_WAREHOUSE=str(warehouse))

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "Modified: nothing" in checked.stdout
    assert "- nothing that a model computes\n" in checked.stdout
    # The output has one line per step, without dbt's log.
    assert "Building the working tree without rows … done (" in checked.stdout
    assert "ci_gold.gold_car_current_state" not in checked.stdout + checked.stderr
    assert "OK created python incremental model ci_gold.gold_car_current_state" in (
        branch.root / "logs/dbt.log"
    ).read_text(encoding="utf-8")
    # No table, work tree or untracked file is left.
    assert not warehouse.exists() and not (branch.root / ".lakehouse").exists()
    assert len(branch.git("worktree", "list").splitlines()) == 1
    assert branch.git("status", "--porcelain") == ""


def test_leaks_fail_with_table_and_annotations(branch, tmp_path):
    """A leak under its own name, a renamed leak in another model, and a refuted key in a third."""
    line = branch.change(
        CURRENT_STATE, '        "gas_type",\n', '        "event_id",\n        "gas_type",\n'
    )
    described = '      - name: reference\n        data_type: string\n        description: "x"\n'
    branch.change(GOLD_YML, ALERT_ID, described + ALERT_ID)
    renamed = '        F.coalesce("event_id", F.lit("")).alias("reference"),\n'
    renamed_line = branch.change(ALERTS, ALERTS_FIRST, renamed + ALERTS_FIRST)
    for grouped in ("events.groupBy(", "parts.groupBy("):
        branch.change(EFFICIENCY, grouped, f'{grouped}"color", ')
    summary = tmp_path / "summary.md"

    checked = branch.check(GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary))

    assert checked.returncode == 1, checked.stdout + checked.stderr
    message = "gold_car_current_state: event_id is missing in contract"
    assert f"::error file={CURRENT_STATE},line={line}::{message}\n" in checked.stdout
    message = (
        "gold_performance_alerts.reference is silver_car_telemetry.event_id under another name"
    )
    assert f"::error file={ALERTS},line={renamed_line}::{message}\n" in checked.stdout
    message = (
        "gold_fuel_efficiency_monthly: the contract promises one row per (car_chassis, year_month),"
        " and the query has one per (color, car_chassis, year_month) of silver_car_telemetry"
    )
    assert f"::error file={EFFICIENCY},line=1::{message}" in checked.stdout
    assert checked.stdout.count("::error") == 3
    table = [
        [cell.strip() for cell in row.strip("|").split("|")]
        for row in summary.read_text().partition("### What the change touches")[0].splitlines()
        if row.startswith("|")
    ]
    assert table[0] == ["column_name", "definition_type", "contract_type", "mismatch_reason"]
    assert set("".join(table[1])) == {"-"}
    assert table[2:] == [["event_id", "string", "", "missing in contract"]]


@pytest.mark.slow
def test_what_a_change_of_silver_affects_is_reported(branch, tmp_path):
    path = "('fuel_available_liters', 'double', telemetry ~ '.data.fuelAvailableLiters')"
    branch.change("macros/project/event_columns.sql", path, path.replace("Available", "Left"))
    branch.change(
        "models/silver/silver_rejected_events.sql", "order by ingested_at", "order by event_id"
    )
    summary = tmp_path / "summary.md"

    checked = branch.check(GITHUB_STEP_SUMMARY=str(summary))

    assert checked.returncode == 0, checked.stdout + checked.stderr
    touched = summary.read_text().partition("### What the change touches\n")[2]
    assert "- stg_car_events.fuel_available_liters is computed differently\n" in touched
    assert "- the rows of silver_rejected_events are selected differently\n" in touched
    assert "stg_car_events.current_mileage_km" not in touched
    assert "fleet_dashboard (Fleet management), insurance_desk (Insurance desk)" in touched
    rows = [line.strip("| ").split(" | ") for line in touched.splitlines() if "| gold_" in line]
    # Silver keeps the newest version of an event and breaks ties by content. A column that is
    # parsed differently can therefore change which rows are kept.
    assert [row[:3] for row in rows] == [
        ["gold_car_current_state", "fuel_available_liters", "may differ"],
        ["gold_fuel_efficiency_monthly", "none", "may differ"],
        [
            "gold_performance_alerts",
            "alert_message, alert_value, fuel_available_liters",
            "may differ",
        ],
    ]


def test_removed_and_retyped_columns_are_all_named(branch):
    branch.change(GOLD_YML, GAS_TYPE, "")
    branch.change(CURRENT_STATE, '        "gas_type",\n', "")
    branch.change(
        GOLD_YML,
        "- name: trip_count\n        data_type: bigint",
        "- name: trip_count\n        data_type: int",
    )

    checked = branch.check("--no-build")

    assert checked.returncode == 1, checked.stdout + checked.stderr
    yml = (branch.root / GOLD_YML).read_text().splitlines()
    model = yml.index("  - name: gold_car_current_state") + 1
    retyped = yml.index("      - name: trip_count") + 1
    assert (
        f"- {GOLD_YML}:{model} gold_car_current_state: Columns were removed: gas_type"
        in checked.stdout
    )
    assert (
        f"- {GOLD_YML}:{retyped} gold_fuel_efficiency_monthly: "
        "Columns with data_type changes: trip_count (bigint -> int)"
    ) in checked.stdout
    assert "docs/pull_requests.md" in checked.stdout
    assert f"Modified: {GOLD_YML}, {CURRENT_STATE}\n" in checked.stdout
    assert "::error" not in checked.stdout


@pytest.mark.slow
def test_a_mark_that_is_taken_away_is_named(branch):
    """Both tables share the column through a YAML anchor."""
    yml = "models/silver/_silver__models.yml"
    marked = "        meta: {silver_only: true, pii: true}\n"
    customer = (
        '        description: "Who rented the car at the time. Personal."\n        config:\n  '
    )
    branch.change(yml, customer + marked, customer + marked.replace(", pii: true", ""))
    for name, place in {"day": "[schema, path:models/gold]", "year": "schema"}.items():
        text = {"day": "Day of the month", "year": "Year"}[name]
        column = f'        description: "{text} of event_timestamp, UTC."\n        config:\n'
        stays = f"{column}          meta: {{stays_in: {place}}}\n"
        branch.change(yml, f"{column}          meta: {{silver_only: true}}\n", stays)

    checked = branch.check("--no-build")

    assert checked.returncode == 1, checked.stdout + checked.stderr
    for table in ("stg_car_events", "silver_car_telemetry"):
        lost = f"{table}.rental_customer_id is no longer marked pii"
        (line,) = [line for line in checked.stdout.splitlines() if lost in line]
        assert line.startswith(f"- {yml}:")
    assert "not marked silver_only" not in checked.stdout
    wider = "event_day may be in path:models/gold now, and before only in schema"
    assert f"silver_car_telemetry.{wider}" in checked.stdout
    # `stays_in: schema` is equivalent to `silver_only: true`.
    assert "event_year may be" not in checked.stdout
    assert "event_year is not marked" not in checked.stdout


@pytest.mark.slow
def test_a_column_that_may_be_null_again_is_named(branch):
    event_timestamp = "- name: event_timestamp\n        data_type: timestamp\n"
    described = '        description: "Time of the car\'s latest event, UTC."\n'
    not_null = "        constraints: [{type: not_null}]\n"
    branch.change(GOLD_YML, event_timestamp + described + not_null, event_timestamp + described)

    checked = branch.check("--no-build")

    assert checked.returncode == 1, checked.stdout + checked.stderr
    assert (
        "gold_car_current_state: Enforced column level constraints were removed" in checked.stdout
    )
    assert "event_timestamp" in checked.stdout


@pytest.mark.slow
def test_the_same_removal_as_a_new_version_breaks_no_promise(branch):
    add_version_2_without_gas_type(branch)

    checked = branch.check("--no-build")

    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.full
def test_both_versions_are_built(branch):
    add_version_2_without_gas_type(branch)

    checked = branch.check()

    assert checked.returncode == 0, checked.stdout + checked.stderr
    log = (branch.root / "logs/dbt.log").read_text(encoding="utf-8")
    assert "OK created python incremental model ci_gold.gold_car_current_state " in log
    assert "OK created python incremental model ci_gold.gold_car_current_state_v2 " in log


@pytest.mark.slow
def test_first_version_must_keep_the_promise(branch):
    add_version_2_without_gas_type(branch)
    branch.change(GOLD_YML, GAS_TYPE, "")
    branch.change(GOLD_YML, "            exclude: [gas_type]\n", "")

    checked = branch.check("--no-build")

    assert checked.returncode == 1, checked.stdout + checked.stderr
    assert "gold_car_current_state: Columns were removed: gas_type" in checked.stdout


@pytest.mark.slow
def test_first_version_must_keep_the_table(branch):
    add_version_2_without_gas_type(branch)
    branch.change(GOLD_YML, "        config: {alias: gold_car_current_state}\n", "")

    checked = branch.check("--no-build")

    assert checked.returncode == 1, checked.stdout + checked.stderr
    assert "'model.car_lakehouse.gold_car_current_state' was deleted or renamed" in checked.stdout


@pytest.mark.slow
def test_nothing_is_modified_across_targets(repository, tmp_path):
    to_state = ("--target", "local", "--target-path", str(tmp_path))
    parsed = repository.python("dbt.cli.main", "parse", *to_state)
    assert parsed.returncode == 0, parsed.stdout
    select = ("--select", "state:modified", "--state", str(tmp_path), "--target", "ci")
    listed = repository.python("dbt.cli.main", "--quiet", "ls", *select)
    assert (listed.returncode, listed.stdout) == (0, ""), listed.stderr


@pytest.mark.slow
def test_base_that_does_not_parse(branch):
    branch.git("switch", "--quiet", "main")
    branch.change(GOLD_YML, "models:", "models: 1")
    branch.commit()
    branch.git("switch", "--quiet", "--force-create", "change")

    checked = branch.check("--no-build")

    assert checked.returncode == 2
    (line,) = checked.stderr.splitlines()
    assert line.startswith("Cannot check: main (") and "does not parse" in line
    assert len(branch.git("worktree", "list").splitlines()) == 1


def test_project_that_does_not_parse(branch):
    line = branch.change(CURRENT_STATE, "def model(dbt, spark):", "def model(dbt, spark)")

    checked = branch.check("--no-build", GITHUB_ACTIONS="true")

    assert checked.returncode == 1
    assert f"::error file={CURRENT_STATE},line={line}::" in checked.stdout


def test_unknown_base(repository):
    with pytest.raises(CannotCheck, match="git does not know origin/main: fetch it"):
        commit_of(Project(repository.root, repository.root), "origin/main")


def test_no_git_repository(tmp_path):
    with pytest.raises(CannotCheck, match="this is no git repository"):
        commit_of(Project(tmp_path, tmp_path), "main")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('w.orderBy("x")\nreturn f.select(\n    "x",\n    "y",\n)', 3),
        ('return f.select(\n    F.col("z").alias("x"),\n    "y",\n)', 2),
        ('w.orderBy("x")\nreturn f.select("*")\n# end', 2),
        ("def model(dbt, spark):\n    f = 1\n    return f", 3),
        ("with a as (select x, y from t)\nselect\n    a.x,\n    y\nfrom a", 3),
        ("with a as (select x from t)\nselect\n    z as x,\n    y\nfrom a", 3),
        ("with a as (select x from t)\nselect *\nfrom a", 2),
    ],
)
def test_line_that_puts_a_column_out(tmp_path, text, line):
    repository = Repository(tmp_path, {"model": text})
    locator = Locator(Project(repository.root, repository.root))
    assert locator.in_model("model", "x", "told") == ("model", line, "told")
