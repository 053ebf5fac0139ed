"""D: this project's `dbt build`, with all data tests and without dbt's unit tests."""

import json
from pathlib import Path

from python_jobs.bench.contestants.base import AS_OF_DATE, ROOT, Contestant, Step, program
from python_jobs.bench.gold import read_iceberg

# The setting of the pool of warm Javas. A version of the project that has no pool ignores it.
POOL = "DBT_SPARK_POOL"
POOL_OFF, POOL_ON = {POOL: "off"}, {POOL: "on"}

# From this size of its new files on, a build is faster with LAKEHOUSE_SIZE=large: some 100,000
# events (docs/start_up.md). Ht chooses by the size of its input, too.
LARGE_BYTES = 150 * 1024 * 1024


def ours(place: Path, landing: Path) -> Contestant:
    """Return our build, in the project's folder, with a separate warehouse."""
    dbt = program("dbt")
    build = [dbt, "build", "--exclude-resource-type", "unit_test", *options(place, landing)]
    seed = [dbt, "seed", *options(place, landing)]
    landed = sum(file.stat().st_size for file in landing.iterdir())
    all_new, nothing, some = _size(landed), _size(0), _size(landed // 100)
    steps = [
        Step("D cold", [build], environment=all_new | POOL_OFF),
        # The lead-in leaves a warm Java if there is a pool.
        Step("D second", [build], lead_in=[seed], environment=all_new | POOL_ON),
        Step("D nothing new", [build], starts_empty=False, environment=nothing | POOL_ON),
        Step(
            "D 1 % new",
            [build],
            starts_empty=False,
            has_new_events=True,
            environment=some | POOL_ON,
        ),
    ]
    tables = place / "home" / "warehouse"
    return Contestant(
        key="D",
        title="this project's `dbt build`, with all data tests",
        tables=tables,
        folder=ROOT,
        environment={"LAKEHOUSE_HOME": str(place / "home")},
        steps=steps,
        read_gold=lambda: read_iceberg(tables),
    )


def _size(new_bytes: int) -> dict[str, str]:
    """Return the setting that the README advises for an amount of new files."""
    return {"LAKEHOUSE_SIZE": "large" if new_bytes >= LARGE_BYTES else "small"}


def show(place: Path, landing: Path) -> list[str]:
    """Return the command that starts Spark and reads nothing: what each command costs at least."""
    return [program("dbt"), "show", "--inline", "select 1 as one", *options(place, landing)]


def options(place: Path, landing: Path) -> list[str]:
    """Return the options of a dbt command that builds from the landing folder."""
    return [
        *("--target", "local"),
        *("--target-path", str(place / "target"), "--log-path", str(place / "logs")),
        *("--vars", json.dumps({"landing_path": str(landing), "as_of_date": AS_OF_DATE})),
    ]
