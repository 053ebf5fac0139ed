"""Each run is recorded with its nodes, even if it fails, and the report shows it."""

import json
import subprocess

import pytest
from dbt_spark_contracts.cli.report import page
from dbt_spark_contracts.publish import git

from tests.support.toy import TABLES


def test_runs_that_were_published_held_back_or_failed(project, tool, tmp_path):
    project.land({1: 10})
    assert project.build().success
    project.land({1: 11, 2: 20, -1: 5})
    failed = project.build()
    assert not failed.success
    project.land({1: 12})
    model = project.dbt.project_dir / "models/silver_merged.sql"
    text = model.read_text()
    model.write_text(text.replace("worth as bigint", "no_such as bigint"))
    assert not project.dbt("run", "-s", "silver_merged", schema=project.schema).success
    model.write_text(text)
    assert project.dbt("build", "--empty", schema=project.schema).success  # is not recorded

    code, out, err = tool("report", "--json")
    assert code == 0, err
    stopped, held, first = json.loads(out)
    assert [run["status"] for run in (first, held, stopped)] == ["published", "held back", "failed"]
    assert [run["command"] for run in (first, held, stopped)] == ["build", "build", "run"]
    assert [run["tables"] for run in (first, held, stopped)] == [3, 3, 0]
    assert [run["errors"] for run in (first, held, stopped)] == [0, 1, 1]
    assert first["nodes"] and held["run"] in failed.said[-1]

    by_name = {node["node"].split(".")[2]: node for node in held["nodes"]}
    assert {by_name[name]["table_name"] for name in TABLES} == {
        f"{project.schema}.{name}" for name in TABLES
    }
    merged = by_name["silver_merged"]
    assert merged["null_counts"] == {"id": 0, "worth": 0} and merged["rejected"] is None
    assert (merged["rows_written"], merged["total_rows"], merged["status"]) == (3, 3, "success")
    assert merged["snapshot_id"] and merged["files_written"] and merged["bytes_written"]
    (test,) = (node for node in held["nodes"] if node["status"] == "fail")
    assert (test["failures"], test["table_name"], test["rows_written"]) == (1, None, None)
    assert "Got 1 result" in test["message"]
    (broken,) = stopped["nodes"]
    assert broken["status"] == "error" and "no_such" in broken["message"]

    # The history shows the recorded numbers.
    code, out, err = tool("history", "--json")
    assert code == 0, err
    assert [(row["status"], row["rows"], row["files"]) for row in json.loads(out)] == [
        ("held back", *(sum(node[of] or 0 for node in held["nodes"]) for of in WRITTEN)),
        ("published", *(sum(node[of] or 0 for node in first["nodes"]) for of in WRITTEN)),
    ]

    # The report as text and HTML.
    code, out, err = tool("report")
    assert (code, err) == (0, "")
    assert held["run"] in out and "no_such" in out
    file = tmp_path / "report.html"
    assert tool("report", "--html", str(file))[0] == 0
    assert held["run"] in file.read_text() and "no_such" in file.read_text()
    assert tool("report", "--limit", "0")[0] == 2


WRITTEN = ("rows_written", "files_written")


def test_before_the_first_run_nothing_is_on_record(tool):
    assert tool("report", "--json") == (0, "[]\n", "")
    assert tool("report") == (0, "", "")


@pytest.mark.quick
def test_a_page_shows_texts_as_they_are_and_runs_none():
    hostile = "</td><script>alert(1)</script> $x_1$ & \u202e"
    node = {"table_name": hostile, "status": "error", "seconds": 1.0, "rows_written": 1}
    node |= {"files_written": 1, "total_rows": 1, "node": hostile, "message": hostile}
    node["rejected"] = None
    run = {"run": hostile, "started_at": "2026-01-02T03:04:05", "command": "build"}
    run |= {"status": "published", "seconds": 2.0, "tables": 1, "errors": 1, "git_commit": None}
    run["reason"] = hostile
    for runs in ([], [run | {"nodes": []}], [run | {"nodes": [node]}] * 3):
        text = page.html(runs)
        assert "<script" not in text and "default-src 'none'" in text
        assert text.count("<svg") == text.count("</svg>") == 3
    assert "$x_1$ &amp;" in text


@pytest.mark.quick
def test_the_commit_of_a_project(tmp_path):
    assert git.commit(str(tmp_path)) is None
    command = ["git", "-c", "user.name=x", "-c", "user.email=x", "-C", str(tmp_path)]
    subprocess.run([*command, "init", "--quiet"], check=True)
    (tmp_path / "a").write_text("1")
    subprocess.run([*command, "add", "a"], check=True)
    subprocess.run([*command, "commit", "--quiet", "-m", "a"], check=True)
    head = subprocess.run([*command, "rev-parse", "HEAD"], capture_output=True, text=True)
    assert git.commit(str(tmp_path)) == head.stdout.strip()
    (tmp_path / "a").write_text("2")
    assert git.commit(str(tmp_path)) == f"{head.stdout.strip()}-dirty"
    assert git.commit(str(tmp_path / "nowhere")) is None
