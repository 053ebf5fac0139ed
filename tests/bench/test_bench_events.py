"""The benchmark's events, and the projects that it generates."""

import json

import yaml

from python_jobs.bench.contestants.base import ROOT
from python_jobs.bench.contestants.duckdb import make_project
from python_jobs.bench.contestants.unchecked import copy as copy_unchecked
from python_jobs.bench.landing import Landing
from python_jobs.bench.many_models import make_project as make_many


def test_one_per_cent_more_arrives_and_goes(tmp_path):
    landing = Landing(tmp_path, 200)

    def records() -> int:
        return sum(len(file.read_text().splitlines()) for file in landing.folder.iterdir())

    assert records() == 200
    landing.add_new_events()
    landing.add_new_events()
    assert records() == 202
    landing.remove_new_events()
    landing.remove_new_events()
    assert records() == 200


def test_the_same_events_in_many_files(tmp_path):
    one, many = Landing(tmp_path / "one", 200), Landing(tmp_path / "many", 200, is_split=True)
    for files in (200, 202):
        texts = [
            "".join(file.read_text() for file in sorted(landing.folder.iterdir()))
            for landing in (one, many)
        ]
        assert texts[0] == texts[1]
        assert len(list(many.folder.iterdir())) == files
        one.add_new_events()
        many.add_new_events()


def test_the_events_are_the_same_each_time(tmp_path):
    first, second = Landing(tmp_path / "a", 100), Landing(tmp_path / "b", 100)
    contents = [
        [file.read_bytes() for file in landing.folder.iterdir()] for landing in (first, second)
    ]
    assert contents[0] == contents[1]


def test_k_has_the_columns_and_tests_of_the_main_project(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "left_over.sql").write_text("select 1")
    make_project(tmp_path)
    models = {path.stem for path in (tmp_path / "models").rglob("*.sql")}
    described = {
        model["name"]
        for file in (tmp_path / "models").rglob("*.yml")
        for model in yaml.safe_load(file.read_text(encoding="utf-8")).get("models", [])
    }
    assert models == described
    assert "gold_car_current_state" in models


def test_a_project_of_many_models_has_one_called_one(tmp_path):
    project = make_many(tmp_path / "many", 12)
    described = yaml.safe_load((project / "models" / "_models.yml").read_text())
    names = [model["name"] for model in described["models"]]
    assert len(names) == 12
    assert {f"{name}.sql" for name in names} == {
        file.name for file in (project / "models").glob("*.sql")
    }
    assert "one" in names
    assert json.dumps(described).count("data_type") == 12


def test_n_promises_nothing_and_tests_the_same(tmp_path):
    copy_unchecked(tmp_path / "project")
    ours, theirs = (
        "\n".join(path.read_text() for path in sorted(folder.rglob("*.yml")))
        for folder in (ROOT / "models", tmp_path / "project/models")
    )
    settings = (tmp_path / "project/dbt_project.yml").read_text()
    for word in ("contract:", "constraints:", "silver_only:", "pii:", "pii_allowed:"):
        assert word in ours + (ROOT / "dbt_project.yml").read_text()
        assert word not in theirs + settings
    assert theirs.count("data_tests:") >= ours.count("data_tests:") > 0  # the copy has no anchors
