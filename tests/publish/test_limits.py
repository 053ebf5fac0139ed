"""A run is held back if rows fall, or rejected records rise, by more than a model allows."""

import json

import pytest
from dbt_common.exceptions import DbtRuntimeError
from dbt_spark_contracts.publish import limits
from pyiceberg.table import StaticTable

from tests.support.published import published

FILES = {
    "seeds/landed.csv": "id,worth\n",
    "models/events.sql": """
select cast(id as bigint) as id, cast(worth as bigint) as worth, worth as as_text
from {{ ref('landed') }} where worth rlike '^[0-9]+$'
""",
    "models/rejected.sql": """
{{ config(materialized='incremental', unique_key='id') }}
select cast(id as bigint) as id, worth as raw
from {{ ref('landed') }} where not worth rlike '^[0-9]+$'
""",
    "models/schema.yml": """
models:
  - name: events
    config:
      meta: {hold_back: {rows_fall_by: 0.5}}
      contract: {enforced: true}
    columns:
      - {name: id, data_type: bigint}
      - {name: worth, data_type: bigint}
      - {name: as_text, data_type: string, data_tests: [not_null]}
  - name: rejected
    config:
      meta: {holds_rejects_of: events, hold_back: {rejected_rise_by: 0.5}}
""",
    "dbt_project.yml": """
name: small
profile: lakehouse
flags: {send_anonymous_usage_stats: false}
models: {+file_format: iceberg, +materialized: table}
seeds: {+file_format: iceberg, +column_types: {id: bigint, worth: string}}
on-run-start: "{{ begin_run() }}"
on-run-end: "{{ end_run() }}"
""",
}


def test_a_run_beyond_its_limits_is_held_back_until_someone_publishes_it(
    small_project, schema, read, capsys, spark
):
    project = small_project(FILES)

    def build(good: int, bad: int):
        rows = [f"{id},{'x' if id >= good else id}" for id in range(good + bad)]
        (project.project_dir / "seeds/landed.csv").write_text("\n".join(["id,worth", *rows, ""]))
        return project("build", "--full-refresh", schema=schema)

    def told(*args):
        capsys.readouterr()
        assert project.tool(*args, "--json", schema=schema) == 0
        return json.loads(capsys.readouterr().out)

    assert build(4, 2).said[-1] == "Published 3 tables one by one."  # the first
    assert build(2, 3).said[-1] == "Published 3 tables one by one."  # each at its limit
    for table, columns in (("dbt_runs", "reason"), ("dbt_nodes", "rejected, null_counts")):
        spark.sql(f"alter table {schema}_ops.{table} drop columns ({columns})")  # the old schema
    held = build(0, 5)
    assert not held.success and set(held.status.values()) <= {"success", "pass", "error"}
    branch = held.said[-2].rpartition(" ")[2].rstrip(".")
    assert "3 tables are held back on the branch" in held.said[-2]
    reason = (
        f"Held back: {schema}.events: readers see 2 rows, and this run has 0, which is 100% fewer; "
        f"rows_fall_by allows 50%; {schema}.rejected: readers see 3 rejected records of events, "
        "and this run has 5, which is 66.67% more; rejected_rise_by allows 50%. If that is right, "
        f"publish it: `dbt run-operation publish --args '{{branch: {branch}}}'`."
    )
    assert held.said[-1] == reason
    assert len(read(schema, "events")) == 2
    retried = project("retry", schema=schema)
    assert retried.said[-1].startswith("`dbt retry` had nothing left to do.")
    assert branch in retried.said[-1]

    # The record of the runs.
    run, second, first = told("report")
    assert (run["status"], run["errors"], run["reason"]) == ("held back", 0, reason)
    assert second["reason"] is None and second["status"] == "published"
    assert [row["reason"] for row in told("history")] == [reason, None, None]
    capsys.readouterr()
    assert project.tool("history", schema=schema) == 0
    assert reason in capsys.readouterr().out
    nodes = {node["node"].rpartition(".")[2]: node for node in run["nodes"]}
    assert [nodes[name]["rejected"] for name in ("events", "rejected", "landed")] == [5, None, None]
    assert [nodes[name]["null_counts"] for name in ("events", "landed")] == [
        {},
        {"id": 0, "worth": 0},
    ]
    assert {node["rejected"] for node in first["nodes"]} == {None}

    # A snapshot's summary names its own run and contract, not those of a model in another thread.
    for node in second["nodes"]:
        if node["table_name"]:
            name = node["table_name"].rpartition(".")[2]
            table = published(f"{schema}.{name}", project.home)
            summary = summary_of(table, node["snapshot_id"])
            expected = {"dbt.run": second["run"], "dbt.invocation_id": second["invocation_id"]}
            if node["contract_checksum"]:
                expected["dbt.contract_checksum"] = node["contract_checksum"]
            summary.pop("dbt.made_from", None)  # of the seed
            assert {key: value for key, value in summary.items() if key[:4] == "dbt."} == expected
    assert any(node["contract_checksum"] for node in second["nodes"])

    # A person decides to publish it.
    done = project("run-operation", "publish", "--args", f"{{branch: {branch}}}", schema=schema)
    assert done.said[-1] == "Published 3 tables one by one."
    assert len(read(schema, "events")) == 0


def summary_of(table: StaticTable, snapshot: int) -> dict:
    found = table.snapshot_by_id(snapshot)
    return dict(found.summary.additional_properties)


def test_limits_that_hold_nothing_back_stop_the_run(small_project, schema):
    model = "{{ config(meta={'hold_back': {'rows_fall': 0.1}}) }} select 1 as id"
    project = small_project({"models/a.sql": model, "dbt_project.yml": FILES["dbt_project.yml"]})
    result = project("run", schema=schema)
    assert not result.success and "a: meta hold_back has no rows_fall: it is like" in result.text
    settings = project.project_dir / "dbt_project.yml"
    settings.write_text(settings.read_text().partition("on-run-start")[0])
    result = project("run", schema=schema)
    assert "a: meta hold_back holds nothing back, because no hook" in result.message["a"]


def node(name: str, meta: dict, **config) -> dict:
    config = {"file_format": "iceberg", "materialized": "table", **config, "meta": meta}
    return {"name": name, "resource_type": "model", "config": config, "relation_name": f"s.{name}"}


def graph(*nodes: dict) -> dict:
    return {f"model.p.{each['name']}": each for each in nodes}


@pytest.mark.quick
@pytest.mark.parametrize(
    ("meta", "told"),
    [
        ({"hold_back": 0.2}, "hold_back is 0.2, and has to be like"),
        ({"hold_back": {"rows": 0.2}}, "hold_back has no rows"),
        ({"hold_back": {"rows_fall_by": 1}}, "is 1, and has to be a share of the rows"),
        ({"hold_back": {"rows_fall_by": "20%"}}, "rows_fall_by is '20%'"),
        ({"hold_back": {"rows_fall_by": True}}, "rows_fall_by is True"),
        ({"hold_back": {"rejected_rise_by": -1}}, "rejected_rise_by is -1"),
        ({"hold_back": {"rejected_rise_by": float("nan")}}, "rejected_rise_by is nan"),
        ({"hold_back": {"rejected_rise_by": 2}}, "limits nothing, because no model says whose"),
        ({"holds_rejects_of": "nope"}, "holds_rejects_of is 'nope', which names no model"),
        ({"holds_rejects_of": ["b"]}, "holds_rejects_of is ['b'], which names no model"),
    ],
)
def test_what_a_limit_must_not_be_is_one_line(meta, told):
    with pytest.raises(DbtRuntimeError) as error:
        limits.check(graph(node("a", meta), node("b", {})))
    (line,) = error.value.msg.splitlines()
    assert line.startswith("a: meta ") and told in line


@pytest.mark.quick
@pytest.mark.parametrize("config", [{"materialized": "view"}, {"file_format": "parquet"}])
def test_rejects_are_counted_in_tables_of_the_guard_only(config):
    with pytest.raises(DbtRuntimeError, match="needs an Iceberg table"):
        limits.check(graph(node("a", {"holds_rejects_of": "b"}, **config), node("b", {})))


BOTH = {"rows_fall_by": 0.29, "rejected_rise_by": 0.1}


@pytest.mark.quick
@pytest.mark.parametrize(
    ("of", "before", "after", "is_held"),
    [
        (None, 100, 71, False),  # within the limit
        (None, 100, 70, True),
        (None, 100, 500, False),
        (None, 0, 0, False),
        ("b", 100, 110, False),
        ("b", 100, 111, True),
        ("b", 0, 1, True),  # any rise from zero is above the limit
        ("b", 100, 0, False),  # fewer rejected records are fine
    ],
)
def test_which_change_is_held_back(of, before, after, is_held):
    """Both limits may be set for a folder that has both kinds of tables."""
    meta = {"hold_back": BOTH} | ({"holds_rejects_of": of} if of else {})
    nodes = graph(node("a", meta), node("b", {}), node("off", {"hold_back": {}}))
    found = limits.exceeded(nodes, ["s.off", "s.a", "elsewhere"], lambda table: (before, after))
    assert len(found) == is_held
    assert all(f"{before:,}" in line and f"{after:,}" in line for line in found)
    assert limits.exceeded(nodes, ["s.a"], lambda table: None) == []  # not published yet
