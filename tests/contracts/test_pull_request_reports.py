"""The check's reports for programs and for GitHub, its exit codes, and other project layouts."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import jsonschema
import pytest
import yaml
from dbt_spark_contracts.cli.blast_radius import BlastRadius, Touched
from dbt_spark_contracts.cli.check_pull_request.changes.change import Change
from dbt_spark_contracts.cli.check_pull_request.check import Checked
from dbt_spark_contracts.cli.check_pull_request.problem import RULES, Place, Problem
from dbt_spark_contracts.cli.check_pull_request.report import github
from dbt_spark_contracts.cli.check_pull_request.report.as_json import as_json
from dbt_spark_contracts.cli.check_pull_request.report.markdown import report
from dbt_spark_contracts.cli.check_pull_request.report.sarif import as_sarif
from dbt_spark_contracts.cli.check_pull_request.text import fenced

from tests.support.dbt_runner import ROOT
from tests.support.repository import Repository

# The parts of the SARIF 2.1.0 schema (OASIS, sections 3.13 to 3.30) that the report uses.
TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
PLACE = {
    "type": "object",
    "required": ["physicalLocation"],
    "properties": {
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation", "region"],
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "required": ["uri"],
                    "properties": {"uri": {"type": "string", "format": "uri-reference"}},
                },
                "region": {
                    "type": "object",
                    "properties": {"startLine": {"type": "integer", "minimum": 1}},
                },
            },
        }
    },
}
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "$schema": {"type": "string", "format": "uri"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name"],
                                "properties": {
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id"],
                                            "properties": {"shortDescription": TEXT, "help": TEXT},
                                        },
                                    }
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message"],
                            "properties": {
                                "message": TEXT,
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "ruleIndex": {"type": "integer", "minimum": -1},
                                "locations": {"type": "array", "items": PLACE},
                            },
                        },
                    },
                },
            },
        },
    },
}


@pytest.fixture
def checked() -> Checked:
    places = [Place("models/a b.sql", 3, "a, 100 %:\nb"), Place("", 1, "somewhere")]
    touched = Touched("gold_x", ["a", "b (gone)"], True, [{"name": "desk", "owner": {}}])
    radius = BlastRadius(["the seed s has other rows: a"], [touched], ["gold_x.c: a function"])
    change = Change("seed", "the seed s has other rows: a", "seeds/s.csv", details=["1: a is 2"])
    problem = Problem("breaking-change", "gold_x breaks a promise", places, ["On purpose?"])
    return Checked("main (abc)", [problem], False, ["seeds/s.csv"], [change], ["gold_y"], radius)


def test_markdown(checked):
    text = "\n".join(report(checked))
    assert "leaks of marked columns, and queries that violate their contract, were not" in text
    assert "| gold_x | a, b (gone) | may differ | desk |" in text
    assert "Proven no change: gold_y, whose optimized plan is the same" in text
    assert "- 1: a is 2" in text
    checked.is_built = True
    assert "were not checked" not in "\n".join(report(checked))


def test_markdown_shows_hostile_texts_and_follows_none(checked):
    hostile = "<img src=x> | @team\n[a](http://e.org)"
    checked.radius.touched[0].exposures[0]["owner"] = {"name": hostile}
    checked.radius.changes = [hostile]
    checked.changes[0].details = [hostile]
    checked.problems[0].title = hostile
    text = "\n".join(report(checked))
    for cut in ("<img", "| @team", "](", "@team"):
        shown = text.replace(f"\\{cut}", "").replace("]\\(", "")
        assert cut not in shown, cut
    assert fenced(["a", "````", "b"]) == ["`````text", "a", "````", "b", "`````"]


def test_json(checked):
    told = json.loads(as_json(checked))
    assert (told["exit_code"], told["built"], told["proven_no_change"]) == (1, False, ["gold_y"])
    assert told["problems"][0]["rule"] == "breaking-change"
    assert told["problems"][0]["places"][0]["line"] == 3
    assert told["touched"][0]["exposures"] == ["desk"]
    assert told["changes"][0]["details"] == ["1: a is 2"]


def test_sarif(checked):
    log = json.loads(as_sarif(checked))
    jsonschema.validate(log, SARIF)
    (run,) = log["runs"]
    first, second = run["results"]
    rules = run["tool"]["driver"]["rules"]
    assert rules[first["ruleIndex"]]["id"] == first["ruleId"] == "breaking-change"
    location = first["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "models/a%20b.sql"
    assert location["region"] == {"startLine": 3}
    assert "locations" not in second
    assert [rule["id"] for rule in rules] == [*RULES]


def test_sarif_of_a_check_that_passes(checked):
    checked.problems = []
    log = json.loads(as_sarif(checked))
    jsonschema.validate(log, SARIF)
    assert log["runs"][0]["results"] == []


def test_annotations_are_one_line_each(checked):
    assert [*github.annotations(checked.problems)] == [
        "::error file=models/a b.sql,line=3::a, 100 %25:%0Ab",
        "::error::somewhere",
    ]


class Api(BaseHTTPRequestHandler):
    """A fake of GitHub's comment API for one pull request."""

    comments: ClassVar[list[dict]]
    calls: ClassVar[list[tuple]]
    environment: ClassVar[dict]
    refuses = False

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        data = json.loads(self.rfile.read(length)) if length else {}
        path, _, query = self.path.partition("?")
        type(self).calls.append((self.command, path, self.headers["Authorization"]))
        answer: object = {}
        if self.command == "GET":
            page = int(query.rpartition("=")[2])
            answer = self.comments[(page - 1) * 100 : page * 100]
        elif self.command == "POST":
            self.comments.append({"id": 7000 + len(self.comments), **data})
        else:
            wanted = int(path.rpartition("/")[2])
            next(each for each in self.comments if each["id"] == wanted).update(data)
        self.send_response(403 if self.refuses else 200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    do_GET = do_POST = do_PATCH = _answer

    def log_message(self, *_: object) -> None:
        """Suppress the request log."""


@pytest.fixture
def api(tmp_path):
    class Own(Api):
        """A subclass with its own comments for each test."""

    Own.comments = [{"id": number, "body": "somebody's"} for number in range(150)]
    Own.calls = []
    server = HTTPServer(("127.0.0.1", 0), Own)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 12}}))
    Own.environment = {
        "GITHUB_TOKEN": "secret",
        "GITHUB_REPOSITORY": "me/it",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_API_URL": f"http://127.0.0.1:{server.server_port}",
    }
    yield Own
    server.shutdown()
    server.server_close()


def test_one_comment_is_created_and_edited_afterwards(api, capsys):
    github.comment(["first"], api.environment)
    github.comment(["second"], api.environment)
    own = [each for each in api.comments if each["body"] != "somebody's"]
    assert [each["body"] for each in own] == [f"{github.MARK}\nsecond"]
    path = "/repos/me/it/issues"
    written = [call for call in api.calls if call[0] != "GET"]
    assert written == [
        ("POST", f"{path}/12/comments", "Bearer secret"),
        ("PATCH", f"{path}/comments/7150", "Bearer secret"),
    ]
    assert capsys.readouterr().err == ""


def test_long_report_is_cut(api):
    github.comment(["x" * 60] * 2000, api.environment)
    body = api.comments[-1]["body"]
    assert len(body) < 65_536 and body.endswith("… The rest is in the job's summary.")


@pytest.mark.parametrize("trouble", ["refused", "no token", "no pull request", "no server"])
def test_comment_that_cannot_be_written_is_one_line(api, capsys, tmp_path, trouble):
    environment = dict(api.environment)
    if trouble == "refused":
        api.refuses = True
    elif trouble == "no token":
        del environment["GITHUB_TOKEN"]
    elif trouble == "no pull request":
        (tmp_path / "event.json").write_text("{}")
    else:
        environment["GITHUB_API_URL"] = "http://127.0.0.1:9"
    github.comment(["x"], environment)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("The comment was not written (") and "secret" not in line


def test_help_fits_a_screen_and_explains_the_exit_codes():
    command = [sys.executable, "-m", "dbt_spark_contracts", "check-pr", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) < 40
    for code in ("  0  no problem", "  1  problems", "  2  it cannot check"):
        assert any(line.startswith(f"  {code}") for line in lines)


PROJECT = {
    "dbt_project.yml": "name: other\nprofile: other\nflags: {send_anonymous_usage_stats: false}\n",
    "profiles.yml": (
        "other:\n  target: ci\n  outputs:\n    ci: {type: spark, method: session, host: localhost, "
        "schema: own}\n"
    ),
    ".gitignore": "target/\nlogs/\n",
    "models/a.sql": "select 1 as x",
    "models/schema.yml": """
models:
  - name: a
    config: {contract: {enforced: true}, materialized: table, file_format: iceberg}
    columns:
      - {name: x, data_type: int}
""",
}


@pytest.fixture
def other(tmp_path):
    files = {f"analytics/{file}": text for file, text in PROJECT.items()}
    repository = Repository(tmp_path / "repository", files)
    repository.begin_branch()
    return repository


def test_project_in_a_subfolder_of_its_repository(other, tmp_path):
    """The GitHub action and the pre-commit hook run the check like this."""
    line = other.change("analytics/models/schema.yml", "int", "bigint")
    done = check(other, "--json", "-", "--sarif", str(tmp_path / "x.sarif"))
    told = json.loads(done.stdout)
    (problem,) = told["problems"]
    assert done.returncode == told["exit_code"] == 1
    assert problem["places"] == [
        {
            "file": "analytics/models/schema.yml",
            "line": line,
            "text": "a: Columns with data_type changes: x (int -> bigint)",
        }
    ]
    jsonschema.validate(json.loads((tmp_path / "x.sarif").read_text()), SARIF)
    assert told["files"] == ["analytics/models/schema.yml"]


def check(repository, *options, **variables):
    """Run the command of the pre-commit hook."""
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    program, *entry = hook["entry"].split()
    command = [str(Path(sys.executable).parent / program), *entry]
    command += ["--base", "main", "--project-dir", "analytics", *options]
    return subprocess.run(
        command, cwd=repository.root, env=os.environ | variables, capture_output=True, text=True
    )


@pytest.mark.slow
def test_files_around_a_project_below_the_root(other):
    """Shared modules, lock files and uncommitted files count, also within a git hook."""
    other.git("switch", "--quiet", "main")
    other.write("shared.py", "X = 1\n")
    other.write(
        "analytics/models/p.py", "import shared\n\n\ndef model(dbt, s): return dbt.ref('a')"
    )
    other.commit()
    other.git("switch", "--quiet", "--force-create", "change")
    other.write("shared.py", "X = 2\n")
    other.write("requirements.txt", "pyspark\n")
    other.write("analytics/models/sü.sql", "select 1 as x")
    (other.root / ".git/hooks/post-checkout").write_text("#!/bin/sh\nexit 1\n")
    (other.root / ".git/hooks/post-checkout").chmod(0o755)
    index = str(other.root / ".git/index")
    done = check(other, "--json", "-", GIT_INDEX_FILE=index, GIT_DIR=str(other.root / ".git"))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["files"] == ["analytics/models/sü.sql", "requirements.txt", "shared.py"]
    texts = [change["text"] for change in told["changes"]]
    assert "the module ../shared.py has changed: imported by p" in texts
    assert any(text.startswith("../requirements.txt has changed") for text in texts)


def test_report_that_cannot_be_written_is_one_line(other):
    done = check(other, "--json", "nowhere/x.json")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line == "Cannot write the report: nowhere/x.json: No such file or directory"


@pytest.mark.slow
def test_package_in_a_submodule(other, tmp_path):
    macro = "{% macro one() %}1{% endmacro %}"
    package = {"dbt_project.yml": "name: lib\nconfig-version: 2\n", "macros/m.sql": macro}
    Repository(tmp_path / "lib", package)
    other.git("switch", "--quiet", "main")
    add = ("-c", "protocol.file.allow=always", "submodule", "--quiet", "add")
    other.git(*add, str(tmp_path / "lib"), "analytics/lib")
    other.write("analytics/packages.yml", "packages: [{local: lib}]")
    other.write(".gitignore", "target/\nlogs/\ndbt_packages/\npackage-lock.yml\n")
    other.write("analytics/models/a.sql", "select {{ lib.one() }} as x")
    other.commit()
    other.git("switch", "--quiet", "--force-create", "change")
    other.write("analytics/lib/macros/m.sql", macro.replace("1", "2"))
    done = check(other, "--json", "-")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [change["text"] for change in told["changes"]] == [
        "the macro lib.one has changed: used by a"
    ]
    assert len(other.git("worktree", "list").splitlines()) == 1


def test_build_that_would_write_to_tables_of_the_profile_is_refused(other):
    command = [sys.executable, "-m", "dbt_spark_contracts", "check-pr", "--base", "main"]
    command += ["--project-dir", "analytics"]
    done = subprocess.run(command, cwd=other.root, capture_output=True, text=True)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        "Cannot check: the target ci of profiles.yml does not read LAKEHOUSE_HOME"
    )
    assert line.endswith("add --no-build")


def test_action_passes_its_inputs_on():
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    (step,) = action["runs"]["steps"]
    told = step["run"]
    assert action["runs"]["using"] == "composite"
    for name in action["inputs"]:
        assert f"inputs.{name} }}}}" in str(step["env"]), name
    for option in ("--base", "--no-build", "--sarif", "--comment", "--profiles-dir", "--target"):
        assert option in told
