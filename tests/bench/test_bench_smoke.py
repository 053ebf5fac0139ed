"""The benchmark's smoke run: four contestants build the same Gold in separate processes."""

import json

import pytest

from python_jobs.bench.__main__ import main


@pytest.fixture
def measure(tmp_path, capsys):
    """Return a function that measures, and returns the report and the results of a part."""

    def run(part: str, *arguments: str) -> tuple[str, list[dict]]:
        out = tmp_path / "report"
        assert main([*arguments, "--work", str(tmp_path / "work"), "--out", str(out)]) == 0
        said = capsys.readouterr().out
        assert said == (out / "report.md").read_text(encoding="utf-8")
        return said, json.loads((out / "results.json").read_text())[part]

    return run


def test_smoke(measure, tmp_path):
    said, builds = measure("builds", "--smoke")
    assert [build["step"] for build in builds] == ["D cold", "H", "Ht", "K"]
    for build in builds:
        assert f"| 100 | {build['step']} |" in said
        assert build["measured"]["cpu_seconds"] > 0
        assert build["measured"]["peak_bytes"] > 0
    # The peak includes Java: a Python process alone stays below this.
    assert builds[0]["measured"]["peak_bytes"] > 400 * 2**20
    assert (tmp_path / "report" / "performance.png").exists()


@pytest.mark.full
def test_all_steps_of_our_build(measure):
    _, builds = measure("builds", "--contestants", "D", "--runs", "1", "--no-warm-up")
    assert [build["step"] for build in builds] == [
        *("D cold", "D second", "D nothing new", "D 1 % new")
    ]


@pytest.mark.full
def test_commands(measure):
    said, commands = measure("commands", "--commands", "--runs", "1")
    assert len(commands) == 14
    for command in commands:
        has_java = command["measured"]["peak_bytes"] > 300 * 2**20
        assert has_java == ("test" in command["step"] or "check-pr" in command["step"])
    assert "| check-pr, second | check-pr, cold |" in said


@pytest.mark.full
def test_java_sizes(measure):
    said, builds = measure("java sizes", "--java-sizes", "100", "--runs", "1")
    assert [build["step"] for build in builds] == ["small", "large"]
    assert "| events | small / large, seconds | small / large, CPU seconds |" in said


@pytest.mark.full
def test_one_of_many_models(measure):
    said, runs = measure("models", "--models", "2", "3", "--runs", "1")
    assert [(run["size"], run["step"]) for run in runs] == [
        *((2, "dbt run -s one"), (3, "dbt run -s one"), (2, "dbt ls -s one"), (3, "dbt ls -s one"))
    ]
    for run in runs:
        assert (run["measured"]["peak_bytes"] > 300 * 2**20) == ("run" in run["step"])
    assert "With 3 models, `dbt run -s one` takes " in said
