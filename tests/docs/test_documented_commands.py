"""A test runs each documented command, or there is a reason why it cannot.

For a new command on a page, add it to FREE if it starts no Java, to BUILT if a copy of this project
can run it, to TESTED with the test that runs it, or to IMPOSSIBLE with the reason.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.dbt_runner import ROOT
from tests.support.repository import Repository

PAGES = [
    *("README.md", "CONTRIBUTING.md", "tests/README.md"),
    *(f"docs/{page.name}" for page in sorted(ROOT.glob("docs/*.md"))),
    *(page.relative_to(ROOT).as_posix() for page in sorted(ROOT.glob("examples/*/README.md"))),
    "python_jobs/dbt_spark_contracts/README.md",
]
SHELLS = ("sh", "bash", "shell", "console")
# An indented block is shell code if it begins with one of these or with a variable.
PROGRAMS = (
    *("cd", "cp", "dbt", "dbt-spark-contracts", "eval", "export", "find", "git", "pip"),
    *("pre-commit", "pytest", "python", "uv", "uvx"),
)

LINEAGE = "uv run dbt-spark-contracts lineage"
EXAMPLE = "plugin/test_other_project.py::test_a_project_like_everybodys"
OPERATIONS = "publish/test_operations.py::test_each_command_by_the_names_that_history_lists"
BRANCH = "dbt_20261124t013215_c6068ea1"

# This file runs these in this project, in the tier `quick`.
FREE = [
    "uv run dbt-spark-contracts --help",
    'eval "$(_DBT_SPARK_CONTRACTS_COMPLETE=bash_source dbt-spark-contracts)"',
    "uv run --group bench python -m python_jobs.bench --help",
    "uv run python -m dbt_spark_contracts.spark.pool --help",
    "uv run python -m python_jobs.release v0.1.0 --repository https://github.com/owner/repository",
]

ARCHIVE = "uv run python -m python_jobs.archive_landing --to /data/landing_archive --older-than 30"

# This file runs these one after the other in a copy of this project, in the tier `full`.
BUILT = [
    "uv run dbt build",
    "DBT_SPARK_POOL=off uv run dbt build",
    "LAKEHOUSE_SIZE=large uv run dbt build",
    'uv run dbt show --limit 5 --inline "select car_chassis, insurance_status from '
    "{{ ref('gold_car_current_state') }}\"",
    'uv run dbt show --limit 20 --output json --inline "select * from '
    'silver.silver_rejected_events"',
    "uv run dbt show --inline \"select snapshot_id, summary['dbt.run'] as run from "
    'gold.gold_car_current_state.snapshots"',
    "uv run --group bench python -m python_jobs.fleet_page",
    f"{LINEAGE} --column gold_car_current_state.insurance_status",
    f"{LINEAGE} --column gold_car_current_state.insurance_status --no-rows",
    f"{LINEAGE} --column silver_car_telemetry.insurance_valid_until --downstream",
    f"{LINEAGE} --html",
    "uv run --group openlineage dbt-spark-contracts lineage --openlineage > lineage.jsonl",
    "uv run dbt source freshness",
    "uv run dbt docs generate --static",
    "uv run dbt-spark-contracts history",
    "uv run python -m python_jobs.current_metadata gold.gold_car_current_state",
    "uv run --group notebook jupyter-execute examples/read_gold.ipynb --output=../target/read_gold",
    f"{ARCHIVE} --dry-run",
    ARCHIVE,
    "uv run dbt build --vars '{as_of_date: 2025-12-31}'",
    "uv run dbt parse --target-path target/published",
    "LAKEHOUSE_SCHEMA=as_of_2025_12_31 uv run dbt build --target ci --defer --favor-state --state "
    "target/published --select gold_car_current_state --vars '{as_of_date: 2025-12-31}'",
    "uv run dbt-spark-contracts maintain --dry-run",
    "uv run dbt-spark-contracts maintain --budget 10m",
    "uv run python -m python_jobs.new_gold_model gold_events_per_car --key car_chassis "
    "--exposure fleet_dashboard",
    "uv run dbt build -s gold_events_per_car",
    "uv run dbt parse --target athena",
    "uv run dbt compile --target athena --no-introspect",
    "uv run --group lint python -m python_jobs.athena_gate",
    "uv run python -m python_jobs.generate_landing --events 100000 --cars 500 --seed 1 "
    "--out /tmp/landing --format jsonl --duplicates 0.02 --corrupt 0.01",
    "export LAKEHOUSE_HOME=$HOME/fleet",
    "uv run dbt build --vars '{landing_path: /data/landing, as_of_date: 2026-01-15}'",
    "uv run dbt build --vars '{newest_event_within_days: 2}'",
    "uv run python -m python_jobs.data_test_times",
    "uv run python -m python_jobs.start_up_times",
]

COMPARE = "compare/test_compare_command.py::test_each_documented_command_runs"
OLD_AND_NEW = "uv run dbt-spark-contracts compare --old /data/old_gold --new gold_car_current_state"
TIME_AND_NEW = (
    'uv run dbt-spark-contracts compare --old "gold_car_current_state@2026-01-14 18:00" '
    "--new gold_car_current_state"
)
CONTRACT = "uv run dbt-spark-contracts contract"
CONTRACTS = "contracts/test_contract_command.py::test_the_commands_of_the_documentation"
ERASE = "uv run dbt-spark-contracts erase --column rental_customer_id --value"
ERASED = "publish/test_erase.py::test_a_customer_of_this_project"
RECORD = "publish/test_record.py::test_runs_that_were_published_held_back_or_failed"

PAST = "bronze_silver/test_backfill.py::test_files_are_archived_and_read_again"

# Other tests run these: file and name of the test.
TESTED = {
    "cp -a /data/landing_archive/2026-01-14/. /data/landing/": PAST,
    'find /data/landing -type f -newermt "2026-01-14 UTC" ! -newermt "2026-01-15 UTC" '
    "-exec touch {} +": PAST,
    f"{OLD_AND_NEW} --ignore gold_processing_timestamp": COMPARE,
    f"{OLD_AND_NEW} --ignore gold_processing_timestamp --tolerance current_mileage_km=0.01 "
    "--html report.html": COMPARE,
    "uv run dbt-spark-contracts compare --old gold_car_current_state "
    f"--new gold_car_current_state@{BRANCH}": COMPARE,
    TIME_AND_NEW: COMPARE,
    f"{TIME_AND_NEW} --base origin/main": (
        "compare/test_compare_command.py::test_what_the_change_since_a_commit_explains"
    ),
    f"{TIME_AND_NEW} --lineage-before before/column_lineage.json": COMPARE,
    f"{CONTRACT} generate gold_trips_per_car": CONTRACTS,
    f"{CONTRACT} generate gold_trips_per_car --check": CONTRACTS,
    f"{CONTRACT} export --out contracts.odcs.yml": CONTRACTS,
    f"{CONTRACT} import contracts.odcs.yml --check": CONTRACTS,
    f"{CONTRACT} diff gold_trips_per_car": CONTRACTS,
    f"{ERASE} CUST-6078": ERASED,
    f"{ERASE} CUST-6078 --rewrite": ERASED,
    f"{ERASE} - --rewrite < customer.txt": (
        "publish/test_erase.py::test_what_cannot_be_done_is_one_line_and_2"
    ),
    "uv run dbt-spark-contracts report": RECORD,
    "uv run --group bench dbt-spark-contracts report --html target/runs.html": RECORD,
    "uv run dbt build --vars '{write_audit_publish: false}'": (
        "publish/test_publish.py::test_a_var_turns_it_off"
    ),
    "uv run dbt --no-write-json show --inline "
    f'"select * from gold.gold_car_current_state.branch_{BRANCH}"': (
        "publish/test_publish.py::test_a_failed_test_holds_everything_back"
    ),
    'uv run dbt show --inline "select * from gold.gold_car_current_state version as of '
    f"'published_{BRANCH}'\"": "publish/test_tags.py::test_a_run_is_read_by_its_name",
    f"uv run dbt-spark-contracts publish {BRANCH} --dry-run": (OPERATIONS),
    f"uv run dbt-spark-contracts publish {BRANCH}": (OPERATIONS),
    'uv run dbt-spark-contracts roll-back "2026-01-14 18:00" --dry-run': (OPERATIONS),
    "uv run dbt-spark-contracts roll-back dbt_20261123t013204_5a1c7f9e": (OPERATIONS),
    "uv run dbt build --full-refresh --vars '{overwrite: bronze_car_events}'": (
        "bronze_silver/test_bronze_is_kept.py::test_bronze_is_overwritten_by_name_only"
    ),
    "uv run dbt-spark-contracts check-pr": (
        "contracts/test_pull_request.py::test_unchanged_branch_passes_though_main_went_on"
    ),
    "uv run --group bench python -m python_jobs.bench --contestants D N": (
        "bench/test_bench_smoke.py::test_smoke"
    ),
    "uv run --group bench python -m python_jobs.small_builds": (
        "bench/test_small_builds.py::test_a_few_builds"
    ),
    "uv run python -m python_jobs.leak_experiment": (
        "contracts/test_leak_experiment.py::test_the_page_has_what_the_experiment_prints"
    ),
    "uv run python -m dbt_spark_contracts.spark.make_archive": (
        "plugin/test_archive.py::test_the_whole_archive_is_made_by_one_command"
    ),
    "uv run python -m dbt_spark_contracts.spark.pool": (
        "plugin/test_pool_lifetime.py::test_by_command"
    ),
    "uv run python -m dbt_spark_contracts.spark.pool stop": (
        "plugin/test_pool_lifetime.py::test_by_command"
    ),
    "uv run python -m tests.support.openlineage_models": (
        "lineage/test_openlineage_spark.py::test_the_models_of_this_project"
    ),
    "uv run python -m tests.support.openlineage_spark": (
        "lineage/test_openlineage_spark.py::"
        "test_openlineage_knows_no_input_that_we_do_not_but_for_those_listed"
    ),
    "uv build --package dbt-spark-contracts --out-dir dist": (
        "plugin/test_other_project.py::test_wheel_and_sdist_have_every_file_of_the_package"
    ),
    "LAKEHOUSE_MASTER=spark://host:7077 LAKEHOUSE_CATALOG=jdbc "
    "LAKEHOUSE_WAREHOUSE=s3://bucket/warehouse LAKEHOUSE_CHECKPOINTS=s3a://bucket/checkpoints "
    "uv run dbt build --target cluster --vars '{landing_path: s3a://bucket/landing}'": (
        "clusters/test_cluster.py::test_this_project_on_a_cluster_and_an_object_store"
    ),
    "spark-submit --master spark://host:7077 --conf spark.executor.memory=4g "
    "--jars /jars/iceberg-spark-runtime-3.5_2.12-1.10.2.jar run_dbt.py build --target cluster": (
        "clusters/test_cluster.py::test_spark_submit_starts_dbt"
    ),
    "pip install -r requirements.txt": EXAMPLE,
    'pip install "dbt-spark-contracts[embedded]"': (EXAMPLE),
    "dbt build": EXAMPLE,
    "dbt show --inline \"select * from {{ ref('revenue_per_day') }}\"": (EXAMPLE),
    "dbt-spark-contracts lineage --column revenue_per_day.revenue": (EXAMPLE),
    "dbt-spark-contracts check-pr": EXAMPLE,
}

ITSELF = "runs the tests, which this is one of"
MACHINE = "changes the machine or the clone of who types it; CI runs it"
CLUSTER = "needs a cluster"
HOURS = "takes hours"
IMPOSSIBLE = {
    "pip install uv": MACHINE,
    "uv run pytest": ITSELF,
    "uv run pytest --tier quick": ITSELF,
    "uv run pytest --tier slow": ITSELF,
    "uv run pytest --tier slow tests/publish": ITSELF,
    "uv run pytest --tier engines": ITSELF,
    "uv run pytest --tier engines tests/athena": ITSELF,
    "uv run pytest --tier full": ITSELF,
    "uv run pytest --tier engines tests/publish/test_catalogs.py": ITSELF,
    "uv run pytest --tier full tests/publish/test_one_commit.py -s -k 10000": ITSELF,
    "uv run pytest tests/gold": ITSELF,
    "uv run pytest tests/gold/test_gold.py -k trip": ITSELF,
    "uv run pytest tests/gold/test_gold.py::TestCurrentState -x": ITSELF,
    "DISTRIBUTIONS=dist uv run pytest --tier full tests/plugin/test_other_project.py": ITSELF,
    "python tests/support/expected_landing.py --write": "writes what the tests of Gold expect",
    "uv run --group test python -m tests.support.trino_functions": (
        "writes what athena/test_trino_gate.py compares with the server"
    ),
    "uv run --group lint pre-commit install": MACHINE,
    "uv run --group lint pre-commit run --all-files": "runs the quick tests, of which this is one",
    "python -m venv .venv": MACHINE,
    ". .venv/bin/activate": MACHINE,
    "pre-commit install": MACHINE,
    "LAKEHOUSE_MASTER=spark://host:7077 LAKEHOUSE_CATALOG=glue "
    "LAKEHOUSE_WAREHOUSE=s3://bucket/warehouse "
    "LAKEHOUSE_CHECKPOINTS=s3a://bucket/checkpoints uv run dbt build --target cluster "
    "--vars '{landing_path: s3a://bucket/landing}'": CLUSTER,
    "LAKEHOUSE_MASTER=yarn LAKEHOUSE_CATALOG=glue LAKEHOUSE_WAREHOUSE=s3://bucket/warehouse "
    "LAKEHOUSE_CHECKPOINTS=s3://bucket/checkpoints "
    "LAKEHOUSE_PACKAGES=org.apache.iceberg:iceberg-aws-bundle:1.10.1 "
    "uv run dbt build --target cluster": CLUSTER,
    "uv run dbt build --target athena --vars '{landing_path: s3://bucket/landing}'": (
        "needs an account of AWS"
    ),
    "uv run --group bench python -m python_jobs.bench --sizes 100 10000 --write-docs": HOURS,
    "uv run --group bench python -m python_jobs.bench --models 10 500 --write-docs": HOURS,
    "uv run --group bench python -m python_jobs.bench --growth 100000 1000000 --runs 1 "
    "--write-docs": HOURS,
    "uv run --group bench python -m python_jobs.bench --growth 10000000 --runs 1": HOURS,
    "uv run --group bench python -m python_jobs.bench --small-files 10000 --runs 1 "
    "--write-docs": HOURS,
    "uv run --group bench python -m python_jobs.bench --java-sizes 100 100000 --runs 2 "
    "--write-docs": HOURS,
    "uv run --group bench python -m python_jobs.bench --commands --runs 3 --write-docs": HOURS,
    "git tag v0.1.0": "releases",
    "git push origin v0.1.0": "releases, and needs GitHub",
}


def commands(text: str) -> list[str]:
    """Return the commands in the code blocks of a page, without their comments."""
    fence = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.M | re.S)
    blocks = [block for _, language, block in fence.findall(text) if language in SHELLS]
    indented = re.findall(r"(?:^ {4,}\S.*\n)+", fence.sub("", text), re.M)
    first = re.compile(rf"\s*(?:{'|'.join(map(re.escape, PROGRAMS))}|[A-Z_]+=\S*)(?:\s|$)")
    blocks += [block for block in indented if first.match(block)]
    lines = [line for block in blocks for line in re.sub(r"\\\n\s*", "", block).splitlines()]
    parts = [part for line in lines for part in re.sub(r"\s+#.*", "", line).split(" && ")]
    return [part.strip() for part in parts if part.strip() and not part.lstrip().startswith("#")]


def run(command: str, folder: Path, **variables: str) -> str:
    """Run a command in this environment and return its output. Fail the test if it fails."""
    # `uv run` would create another environment with the same packages in each folder.
    line = re.sub(r"\buv run (--group \w+ )?", "", command)
    ours = ("LAKEHOUSE_", "DBT_", "VIRTUAL_ENV")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env={**clean, "PATH": path, "DBT_SPARK_POOL": "off", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


@pytest.mark.quick
@pytest.mark.parametrize("page", PAGES)
def test_each_command_of_a_page_is_run_by_a_test(page):
    known = {*FREE, *BUILT, *TESTED, *IMPOSSIBLE}
    found = commands((ROOT / page).read_text(encoding="utf-8"))
    unknown = [command for command in found if command not in known]
    assert unknown == [], (
        f"{page} has commands that no test runs. Add each to FREE, BUILT, TESTED or IMPOSSIBLE in "
        "tests/docs/test_documented_commands.py, whose first lines say to which"
    )


@pytest.mark.quick
def test_each_tested_command_is_on_a_page():
    texts = [(ROOT / page).read_text(encoding="utf-8") for page in PAGES]
    found = {command for text in texts for command in commands(text)}
    assert [each for each in [*FREE, *BUILT, *TESTED, *IMPOSSIBLE] if each not in found] == []


@pytest.mark.quick
@pytest.mark.parametrize("test", sorted({*TESTED.values()}))
def test_the_test_of_a_command_exists(test):
    file, _, name = test.partition("::")
    assert f"def {name}(" in (ROOT / "tests" / file).read_text(encoding="utf-8")


@pytest.mark.quick
def test_commands_are_found_in_each_kind_of_block():
    page = """
    uv run dbt build        # once
    LAKEHOUSE_SIZE=large uv run dbt build

```sh
one \\
  --two && three  # four
```

1. An item:

   ```sh
   five
   ```

      spark.dbt.size: large

```python
six
```

    seven
"""
    assert commands(page) == [
        "one --two",
        "three",
        "five",
        "uv run dbt build",
        "LAKEHOUSE_SIZE=large uv run dbt build",
    ]


@pytest.mark.quick
@pytest.mark.parametrize("command", FREE)
def test_a_command_without_java_is_run(command):
    run(command, ROOT)


@pytest.mark.full
def test_the_commands_are_run_on_a_copy(tmp_path):
    copy = Repository(tmp_path / "copy")
    # Replacements for the reader's folders.
    folders = {
        "/tmp/landing": str(tmp_path / "landing"),
        "/data/landing": str(tmp_path / "landing"),
    }
    variables = {"HOME": str(tmp_path)}
    for command in BUILT:
        for folder, own in folders.items():
            command = command.replace(folder, own)
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            variables[name] = value.replace("$HOME", str(tmp_path))
        else:
            run(command, copy.root, **variables)
    assert (copy.root / ".lakehouse/warehouse/gold/gold_events_per_car").is_dir()
    assert (copy.root / "target/column_lineage.html").is_file()
    assert (copy.root / "lineage.jsonl").stat().st_size
    assert "gold.gold_car_current_state" in (copy.root / "target/fleet.html").read_text()
    assert (tmp_path / "fleet/warehouse/gold/gold_car_current_state").is_dir()
    shutil.rmtree(copy.root / ".lakehouse")
