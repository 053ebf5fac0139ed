"""`--write-docs` writes figures of a commit only, which anybody can check out and measure again."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from python_jobs.bench import __main__ as command_line
from python_jobs.bench import machine
from python_jobs.bench.benchmark import Result
from python_jobs.bench.parts import PARTS
from python_jobs.bench.processes import Measured
from tests.support.repository import Repository

pytestmark = pytest.mark.quick

PAGE, PICTURE = machine.WRITTEN
MODEL = "models/a.sql"


@pytest.fixture
def repository(tmp_path) -> Repository:
    files = {
        MODEL: "select 1",
        PAGE: "<!-- bench: models -->\nold\n<!-- bench: models end -->\n",
        PICTURE: "a picture",
    }
    return Repository(tmp_path / "project", files)


def test_what_the_benchmark_writes_is_no_change(repository):
    clean = machine.commit(repository.root)
    assert repository.git("rev-parse", "HEAD").startswith(clean)
    repository.write(PAGE, "figures")
    repository.write(PICTURE, "another picture")
    assert machine.changed(repository.root) == []
    assert machine.commit(repository.root) == clean


@pytest.mark.parametrize("file", [MODEL, "models/new.sql"])
def test_another_file_that_differs_from_the_commit_is_one(repository, file):
    repository.write(file, "select 2")
    assert machine.changed(repository.root) == [file]
    assert machine.commit(repository.root).endswith("-dirty")


@pytest.fixture
def write_docs(repository, tmp_path, monkeypatch):
    """Return a function that runs `--write-docs`, and calls `meanwhile` in place of measuring."""
    page = repository.root / PAGE
    monkeypatch.setattr(command_line, "ROOT", repository.root)
    monkeypatch.setattr(command_line, "PAGE", page)

    def run(meanwhile: Callable[[], object]) -> int:
        def measure(*_):
            meanwhile()
            return [Result(10, "dbt run -s one", 1, Measured(1, 1, 1))]

        models = replace(PARTS["models"], measure=measure)
        monkeypatch.setattr(command_line, "PARTS", {"builds": PARTS["builds"], "models": models})
        arguments = ["--models", "10", "--write-docs", "--work", str(tmp_path)]
        return command_line.main([*arguments, "--out", str(tmp_path / "out")])

    return run


def test_figures_of_a_commit_are_written(repository, write_docs):
    assert write_docs(lambda: None) == 0
    text = (repository.root / PAGE).read_text()
    assert "| 10 | dbt run -s one |" in text
    assert f"commit {machine.commit(repository.root)}\n" in text
    # The next part is measured with the figures of this one on the page.
    assert write_docs(lambda: None) == 0


def test_nothing_is_measured_with_other_changes(repository, write_docs, capsys):
    repository.write(MODEL, "select 2")
    assert write_docs(lambda: pytest.fail("measured")) == 1
    said = capsys.readouterr().err
    assert said == f"{MODEL} differs from the commit: commit it, or leave out --write-docs\n"


def test_figures_of_a_project_that_changed_meanwhile_are_not_written(
    repository, write_docs, capsys
):
    assert write_docs(lambda: repository.write(MODEL, "select 2")) == 1
    said = capsys.readouterr().err
    assert said.startswith("performance.md is as before: the project was changed")
    assert "old" in (repository.root / PAGE).read_text()
