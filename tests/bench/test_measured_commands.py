"""What `--commands` and `--java-sizes` run, and in which order."""

import pkgutil

import pytest

from python_jobs.bench import commands, java_sizes
from python_jobs.bench.processes import Measured
from python_jobs.bench.rivals import dbt_alone

pytestmark = pytest.mark.quick


def test_dbt_alone_finds_all_packages_except_the_guard():
    every = {module.name for module in pkgutil.iter_modules()}
    assert every - {module.name for module in dbt_alone.without_guard()} == {dbt_alone.GUARD}


def test_the_clone_has_one_changed_model(tmp_path):
    commands.make_clone(tmp_path / "clone")
    file = f"models/gold/{commands.MODEL}.py"
    changed = (tmp_path / "clone" / file).read_text(encoding="utf-8")
    assert commands.AFTER in changed
    assert commands.BEFORE not in changed


def test_a_project_without_git_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "ROOT", tmp_path)
    with pytest.raises(RuntimeError, match="--commands clones the project with git: fatal"):
        commands.make_clone(tmp_path / "clone")


def test_small_and_large_builds_take_turns(tmp_path, monkeypatch):
    taken = []

    def take(step, environment, folder, log):
        taken.append((step.name, step.environment["LAKEHOUSE_SIZE"]))
        assert step.environment["DBT_SPARK_POOL"] == "off"
        return Measured(1, 2, 3)

    monkeypatch.setattr(java_sizes, "take", take)
    found = java_sizes.run(tmp_path, [10], 2)
    turns = ["small", "large", "small", "large"]
    assert taken == [("start-up", "small"), *(("D cold", setting) for setting in turns)]
    assert [(each.size, each.turn, each.step) for each in found] == [
        *((10, 1, "small"), (10, 1, "large")),
        *((10, 2, "small"), (10, 2, "large")),
    ]
    assert not any((tmp_path / "java_sizes").iterdir())
