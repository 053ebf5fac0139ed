"""Views are checked against their contracts and the marks, in a catalog that supports views."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.full

FILES = {
    "dbt_project.yml": """
name: small
profile: small
flags: {send_anonymous_usage_stats: false}
models: {+file_format: iceberg, +materialized: table}
on-run-start: "{{ begin_run() }}"
on-run-end: "{{ end_run() }}"
""",
    "profiles.yml": """
small:
  target: dev
  outputs:
    dev: {type: spark, method: session, host: localhost, schema: shop, server_side_parameters: {
        spark.sql.defaultCatalog: lake,
        spark.sql.catalog.lake: org.apache.iceberg.spark.SparkCatalog,
        spark.sql.catalog.lake.catalog-impl: org.apache.iceberg.inmemory.InMemoryCatalog,
        spark.sql.catalog.lake.warehouse: warehouse, spark.master: "local[2]",
        spark.sql.extensions: org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions}}
""",
    "models/marked.sql": "select 1 as id, 'POL-1' as policy",
    "models/seen.sql": "{{ config(materialized='view') }} select id from {{ ref('marked') }}",
    "models/leaks.sql": """
{{ config(materialized='view', schema='gold') }} select policy as p from {{ ref('marked') }}
""",
    "models/wrong.sql": "{{ config(materialized='view') }} select 'x' as id, 1 as other",
    "models/reads.sql": "select * from {{ ref('seen') }}",
    "models/through.sql": """
{{ config(schema='gold', contract={'enforced': true}) }} select id as x from {{ ref('seen') }}
""",
    "models/models.yml": """
models:
  - {name: through, columns: [{name: x, data_type: int}]}
  - {name: marked, columns: [{name: policy, config: {meta: {pii: true}}}]}
  - &contracted
    name: seen
    config: {contract: {enforced: true}}
    columns: [{name: id, data_type: int, data_tests: [not_null]}]
  - {<<: *contracted, name: wrong}
""",
    # The catalog is in memory, so both builds run in one process.
    "twice.py": """
import pathlib

from dbt.cli.main import dbtRunner

for select in (["--exclude", "none"], ["--exclude", "leaks", "wrong"]):
    result = dbtRunner().invoke(["--no-use-colors", "build", *select])
    print("STATUS", {found.node.name: str(found.status) for found in result.result})
    print("MESSAGE", [found.message for found in result.result if found.message])

# A view's columns have the marks that those of its query have today.
yml = pathlib.Path("models/models.yml")
marked = "columns: [{name: id, config: {meta: {pii: true}}}, {name: policy"
yml.write_text(yml.read_text().replace("columns: [{name: policy", marked))
result = dbtRunner().invoke(["--no-use-colors", "run", "-s", "through"])
print("THROUGH", [found.message for found in result.result])
""",
}


def test_view_is_checked_against_its_contract_and_the_marks(tmp_path):
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    done = subprocess.run(
        [sys.executable, "twice.py"],
        cwd=tmp_path,
        env={**os.environ, "DBT_SPARK_POOL": "off"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    first, second = (eval(line[7:]) for line in done.stdout.splitlines() if line[:6] == "STATUS")
    assert {name: first[name] for name in ("seen", "leaks", "wrong", "reads")} == {
        "seen": "success",
        "leaks": "error",
        "wrong": "error",
        "reads": "success",
    }
    assert "leaks.p is marked.policy" in done.stdout
    assert "missing in contract" in done.stdout
    assert set(second.values()) == {"success", "pass"}
    assert "Published 3 tables one by one." in done.stdout
    (through,) = (line for line in done.stdout.splitlines() if line.startswith("THROUGH"))
    assert "through.x is marked.id under another name" in through
