"""A small project with a seed, an incremental SQL model, a Python model and a data test.

This module also computes the expected rows, so the tests build no reference lakehouse. The tests
cover what concerns any project: publishing, locks, kills, full disks. A build takes seconds.
"""

from pathlib import Path

from tests.support.dbt_runner import Dbt, DbtResult, make_project
from tests.support.published import versions_of

TABLES = ("events", "silver_merged", "gold_doubled")

# If set, the Python model waits until this file exists.
WAITS_FOR = "TOY_WAITS_FOR"

FILES = {
    "seeds/events.csv": "id,worth\n",
    "models/silver_merged.sql": """
{{ config(materialized='incremental', unique_key='id') }}
select cast(id as bigint) as id, cast(worth as bigint) as worth from {{ ref('events') }}
""",
    "models/gold_doubled.py": f"""
import os
import time
from pathlib import Path


def model(dbt, spark):
    file, deadline = os.environ.get("{WAITS_FOR}"), time.monotonic() + 300
    while file and not Path(file).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return dbt.ref("silver_merged").selectExpr("id", "worth * 2 as double_worth")
""",
    "models/schema.yml": """
models:
  - name: silver_merged
    columns: [{name: id, data_tests: [unique]}]
  - name: gold_doubled
    columns:
      - name: double_worth
        data_tests:
          - accepted_values: {arguments: {values: [-2], quote: false}, config: {where: "id < 0"}}
""",
    "dbt_project.yml": """
name: small
profile: lakehouse
flags: {send_anonymous_usage_stats: false}
models: {+file_format: iceberg, +materialized: table}
seeds: {+file_format: iceberg, +column_types: {id: bigint, worth: bigint}}
on-run-start: "{{ begin_run() }}"
on-run-end: "{{ end_run() }}"
""",
}


class Toy:
    """The project in its own folder and schema, and the rows that have landed in it."""

    def __init__(self, dbt: Dbt, folder: Path, schema: str) -> None:
        self.dbt = make_project(dbt, folder, FILES)
        self.schema = schema
        self.newest: dict[int, int] = {}
        self.merged: dict[int, int] = {}

    def land(self, worths: dict[int, int]) -> None:
        """Replace the seed's rows with these worths by id. An id below 0 fails the data test."""
        self.newest = worths
        if min(worths) >= 0:
            self.merged |= worths
        text = "".join(f"{id},{worth}\n" for id, worth in worths.items())
        (self.dbt.project_dir / "seeds/events.csv").write_text(f"id,worth\n{text}")

    def build(self) -> DbtResult:
        """Build the project in this process."""
        return self.dbt("build", schema=self.schema)

    def start(self, target: Path, **options):
        """Start a build in a separate process. Return the subprocess.Popen."""
        return self.dbt.start("build", schema=self.schema, target_path=target, **options)

    def versions(self) -> dict[str, tuple]:
        """Return the published snapshot id of each table and its rows."""
        return versions_of(self.dbt.home, [f"{self.schema}.{name}" for name in TABLES])

    def rows(self) -> dict[str, list[tuple]]:
        """Return the rows of each table, as a client other than Spark reads them."""
        return {name: rows for name, (_, rows) in self.versions().items()}

    def expected(self) -> dict[str, list[tuple]]:
        """Return the expected rows of each table after a build of everything landed so far."""
        doubled = {id: worth * 2 for id, worth in self.merged.items()}
        rows = zip(TABLES, (self.newest, self.merged, doubled), strict=True)
        return {name: sorted(values.items(), key=repr) for name, values in rows}
