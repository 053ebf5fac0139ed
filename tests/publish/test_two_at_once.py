"""Two builds at once, and readers beside a build: never a mix, never a lost record."""

import shutil
import threading

import pytest

from tests.support.dbt_runner import ROOT, Dbt
from tests.support.published import BUILD_TABLES, rows_of, versions_of

STOPPED = "Another build of these tables runs: dbt_"


@pytest.fixture
def landing(tmp_path):
    """A landing folder, and a function that lets the next events of the sample land in it."""
    files = sorted(file for file in (ROOT / "landing").rglob("*.json*"))
    folder = tmp_path / "landing"
    folder.mkdir()

    def land(count: int) -> None:
        for file in files[:count]:
            (folder / f"{len(list(folder.iterdir()))}{file.suffix}").write_bytes(file.read_bytes())
        del files[:count]

    land.folder = folder
    return land


def test_two_builds_started_together(dbt, landing, tmp_path):
    variables = {"landing_path": str(landing.folder), "as_of_date": "2026-01-15"}
    for _ in range(2):  # the first makes the tables
        landing(3)
        builds = [
            dbt.start("build", schema="together", target_path=tmp_path / name, **variables)
            for name in ("one", "other")
        ]
        said = [build.communicate()[0] for build in builds]
        ended = [build.returncode for build in builds]
        assert 0 in ended, said
        for code, text in zip(ended, said, strict=True):
            assert code == 0 or STOPPED in text, text
            assert "Traceback" not in text
        assert dbt(*BUILD_TABLES, schema="apart", **variables).success
        assert rows_of(dbt.home, "together") == rows_of(dbt.home, "apart")


@pytest.fixture
def copy(dbt, tmp_path):
    """dbt on a copy of this project, whose seed may be spoiled."""
    for name in ("models", "macros", "seeds", "tests/generic", "tests/singular"):
        shutil.copytree(ROOT / name, tmp_path / "project" / name)
    shutil.copy(ROOT / "dbt_project.yml", tmp_path / "project")
    return Dbt(dbt.home, tmp_path / "project", tmp_path / "target")


def test_a_reader_sees_whole_builds_only(copy, landing):
    """Ten builds, one of which fails, beside a reader that never stops."""
    rules = copy.project_dir / "seeds/alert_rules.csv"
    good = rules.read_text()
    test = "alert_rules_name_known_metrics"
    build = ["build", "--indirect-selection", "empty", "--select", "bronze+", "alert_rules", test]
    variables = {"landing_path": str(landing.folder), "as_of_date": "2026-01-15"}
    landing(1)
    assert copy(*build, schema="read", **variables).success
    published = [versions_of(copy.home, "read")]
    seen = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append(versions_of(copy.home, "read", layers=["gold"]))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(10):
            landing(1)
            fails = number == 4  # when two Gold tables have been written
            rules.write_text(good.replace("oil_temp_celsius", "no_such_metric") if fails else good)
            result = copy(*build, schema="read", **variables)
            assert result.success != fails, result.text
            published.append(versions_of(copy.home, "read"))
    finally:
        done.set()
        reader.join()
    assert len(seen) > 20
    for name in seen[0]:
        versions = {repr(version[name]) for version in published}
        assert {repr(version[name]) for version in seen} <= versions
        assert len(versions) == 10  # eleven builds, of which one was not published
