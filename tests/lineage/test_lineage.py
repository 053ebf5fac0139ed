"""The lineage command on made-up artifacts of a build."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from dbt_spark_contracts.cli.lineage import page
from dbt_spark_contracts.cli.main import run

from tests.support import hostile, lineage_sample

pytestmark = pytest.mark.quick

VENDORED = Path(page.__file__).parent / "vendor" / "cytoscape.min.js"


@pytest.fixture
def target(tmp_path):
    return lineage_sample.write(tmp_path / "target", *lineage_sample.small())


@pytest.fixture
def shown(target, capsys, monkeypatch):
    """Return a function that runs the command and returns its output."""
    monkeypatch.setenv("COLUMNS", "98")

    def show(*arguments: str) -> str:
        assert run(["lineage", *arguments, "--target-path", str(target)]) == 0
        return capsys.readouterr().out

    return show


def test_tree_leads_to_the_roots(shown):
    assert shown("--column", "gold_state.status") == (
        """\
gold_state.status  string
ACTIVE or EXPIRED.
├── decided by silver_events.valid_until  date
│   └── computed from bronze_events.raw  string
│       └── copy of landing.events.value  (source)
└── in a window over silver_events.at  timestamp
    └── computed from bronze_events.raw  string  (see above)

Rows, and therefore all columns, of:
  gold_state: filtered by silver_events.at, event_id; grouped by silver_events.customer; ? cannot
      be traced completely: the Python function only_new
  silver_events: filtered by bronze_events.raw; sorted by silver_events.at
"""
    )


def test_tree_shows_marks_and_untraced_columns(shown):
    told = shown("--column", "gold_state.name")
    assert "├── copy of silver_events.customer  string  [silver_only]  [pii]\n" in told
    assert "└── ? cannot be traced completely: the Python function normalize\n" in told


def test_tree_shows_where_a_column_may_be(shown):
    assert "  [stays_in: schema, tag:fleet]\n" in shown("--column", "silver_events.speed")


def test_tree_of_parts_of_a_struct(shown):
    told = shown("--column", "silver_events.place")
    assert "its lat, lon computed from bronze_events.raw" in told


def test_column_of_no_other(shown):
    told = shown("--column", "gold_state.written_at")
    assert "no origin: a constant, or a value of the run" in told
    assert "a root: no dbt model creates it" in shown("--column", "rules.limit")


def test_column_that_comes_from_itself_ends(shown):
    assert shown("--column", "silver_events.event_id").count("copy of silver_events.event_id") == 1


def test_downstream_leads_to_the_exposures(shown):
    told = shown("--column", "landing.events.value", "--downstream")
    assert "copied to bronze_events.raw" in told
    assert "decides gold_state.status" in told
    assert "gold_state is read by the dashboard weekly" in told
    assert "Rows, and therefore all columns, of:\n" in told
    assert "Possibly also, because these cannot be traced completely:" in told


def test_what_chooses_the_rows_can_be_left_out(shown):
    for more in ([], ["--downstream"]):
        whole = shown("--column", "silver_events.at", *more)
        short = shown("--column", "silver_events.at", "--no-rows", *more)
        assert "Rows, and therefore all columns, of" in whole
        assert "Rows, and therefore all columns, of" not in short
        assert whole.startswith(short.split("\n\n")[0])


def test_what_a_models_code_reads_is_a_root(tmp_path, capsys):
    def tree(*arguments: str, **how) -> str:
        target = lineage_sample.write(tmp_path / "target", *lineage_sample.read_by_code(**how))
        assert run(["lineage", "--column", *arguments, "--target-path", str(target)]) == 0
        return capsys.readouterr().out

    told = tree("bronze_events.file")
    assert "└── read by the model's code from landing.events  (source)\n" in told
    assert "  bronze_events: read by the model's code from landing.events  (source)\n" in told
    assert "?" not in told
    # The code may read any of these columns, so each has a possible reader.
    down = tree("landing.events.value", "--downstream")
    assert "Possibly also" in down and "bronze_events.file" in down
    # Without a reason, or if the code also reads a model, the origin is unknown.
    assert "? cannot be traced completely" in tree("bronze_events.file", reason="")
    both = (lineage_sample.LANDING, lineage_sample.SILVER)
    assert "? cannot be traced completely" in tree("bronze_events.file", reads=both)


def test_letter_case_and_full_names(shown):
    tree = shown("--column", "gold_state.status")
    assert shown("--column", "GOLD_STATE.Status") == tree
    assert shown("--column", "model.small.gold_state.status") == tree


ESCAPED = r"\x1b[31mred\x1b]0;title\x07\x9b2J\x08\x7f\x00\u200f\u202e\u2066\ud83d end"


@pytest.mark.parametrize("downstream", [[], ["--downstream"]])
def test_no_text_commands_the_terminal(tmp_path, capsys, downstream):
    """Names, types, marks, descriptions, reasons and exposures are escaped, but not emoji."""
    made = lineage_sample.evil(hostile.ESCAPES)
    target = lineage_sample.write(tmp_path / "target", *made)
    column = f"{hostile.ESCAPES}.{hostile.ESCAPES}"
    assert run(["lineage", "--column", column, *downstream, "--target-path", str(target)]) == 0
    told = capsys.readouterr().out
    assert [c for c in told if c != "\n" and not c.isprintable()] == []
    assert told.count(ESCAPED) >= 5
    # The error message repeats the argument, also escaped.
    assert run(["lineage", "--column", f"no.{column}", "--target-path", str(target)]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert ESCAPED in said and said.isprintable()


def test_a_text_without_commands_is_shown_as_it_is(tmp_path, capsys):
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u05e2\u05d1 <b> \\n"
    target = lineage_sample.write(tmp_path / "target", *lineage_sample.evil(family))
    assert run(["lineage", "--column", f"{family}.{family}", "--target-path", str(target)]) == 0
    assert f"{family}.{family}" in capsys.readouterr().out


def test_openlineage_holds_any_text(tmp_path, capsys):
    text = hostile.EVIL + hostile.ESCAPES
    target = lineage_sample.write(tmp_path / "target", *lineage_sample.evil(text))
    assert run(["lineage", "--openlineage", "--target-path", str(target)]) == 0
    told = capsys.readouterr().out
    assert told.isascii() and "\x1b" not in told
    (event,) = map(json.loads, told.splitlines())
    (field,) = event["dataset"]["facets"]["schema"]["fields"]
    assert field["name"] == text
    assert field["description"] == " ".join(text.split())


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("gold_state.statos", "gold_state has no column statos: did you mean status?"),
        (
            "gold_stat.status",
            "no model, seed or source is named gold_stat: did you mean gold_state",
        ),
        ("status", "status is not a column: write model.column: did you mean"),
        ("gold_state", "gold_state has columns: choose one, as in gold_state.car"),
    ],
)
def test_unknown_name_is_one_line(target, capsys, name, line):
    assert run(["lineage", "--column", name, "--target-path", str(target)]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"Cannot show: {line}")


@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        ("column_lineage.json", None, "run `dbt build` first"),
        ("column_lineage.json", "{", "is broken"),
        ("column_lineage.json", '{"metadata": {"schema_version": 2}}', "has schema_version 2"),
        ("manifest.json", None, "run `dbt build` first"),
        ("manifest.json", "{", "is broken"),
        ("manifest.json", "[]", "is not a manifest"),
        ("manifest.json", '{"metadata": {"dbt_schema_version": "…/v99.json"}}', "is …/v99.json"),
    ],
)
def test_an_invalid_artifact_is_reported_in_one_line(target, capsys, file, text, line):
    (target / file).write_text(text) if text else (target / file).unlink()
    assert run(["lineage", "--column", "gold_state.status", "--target-path", str(target)]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("Cannot show: ") and line in said


def events(shown) -> dict[str, dict]:
    found = map(json.loads, shown("--openlineage").splitlines())
    return {event["dataset"]["name"]: event for event in found}


def test_openlineage_has_an_event_for_each_recorded_model(shown):
    told = events(shown)
    assert told.keys() == {
        *("bronze.bronze_events", "silver.silver_events", "gold.gold_state", "gold.gold_alerts")
    }
    for event in told.values():
        assert event["dataset"]["namespace"] == "lake"
        assert event["eventTime"] == "2026-11-24T04:30:00Z"
        assert event["schemaURL"].endswith("/DatasetEvent")


def test_openlineage_contains_how_a_column_depends_on_another(shown):
    facets = events(shown)["gold.gold_state"]["dataset"]["facets"]
    assert [field["name"] for field in facets["schema"]["fields"]] == [
        *("car", "status", "top", "name", "written_at")
    ]
    lineage = facets["columnLineage"]
    (top,) = lineage["fields"]["top"]["inputFields"]
    assert (top["namespace"], top["name"], top["field"]) == (
        "lake",
        "silver.silver_events",
        "speed",
    )
    assert top["transformations"] == [{"type": "DIRECT", "subtype": "AGGREGATION"}]
    ways = {
        field["field"]: [each["subtype"] for each in field["transformations"]]
        for field in lineage["dataset"]
    }
    assert ways == {"at": ["FILTER"], "event_id": ["FILTER"], "customer": ["GROUP_BY"]}


def test_openlineage_reports_untraced_columns(shown):
    facets = events(shown)["gold.gold_state"]["dataset"]["facets"]
    name = facets["columnLineage"]["fields"]["name"]
    reason = "the Python function normalize"
    assert name["transformationDescription"] == f"cannot be traced completely: {reason}"
    untraced = facets["dbtSparkContracts_untraced"]
    assert untraced["columns"] == {"name": [reason]}
    assert untraced["rows"] == ["the Python function only_new"]
    assert (
        "dbtSparkContracts_untraced" not in (events(shown)["gold.gold_alerts"]["dataset"]["facets"])
    )


def test_page_is_one_file_without_a_network(shown, target):
    assert "open it in a browser" in shown("--html")
    text = (target / "column_lineage.html").read_text(encoding="utf-8")
    assert re.findall(r"<(?:script|link|img|iframe)[^>]* (?:src|href)=", text) == []
    # tests/docs/test_lineage_page.py opens the page and checks that it makes no request.
    assert "default-src 'none'" in text
    assert lineage_sample.EVIL not in text


def test_vendored_library_is_the_one_of_npm():
    digest = hashlib.sha256(VENDORED.read_bytes()).hexdigest()
    assert digest == "081591ab735b2b6a3b31a3c60f8f3a3e2fee8c92939e0c7820ad1208571b6cd8"
