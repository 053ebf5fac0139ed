"""The release check and the licences."""

import shutil
import sys

import pytest

from python_jobs import release
from tests.support.dbt_runner import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pytestmark = pytest.mark.quick

GUARD = "python_jobs/dbt_spark_contracts"
REPOSITORY = "https://github.com/owner/repository"


def project(folder: str) -> dict:
    return tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_both_name_the_same_licence_and_carry_it():
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in licence
    assert (ROOT / GUARD / "LICENSE").read_text(encoding="utf-8") == licence
    for folder in (".", GUARD):
        assert project(folder)["license"] == "Apache-2.0"
        assert project(folder)["license-files"] == ["LICENSE"]
        assert project(folder)["authors"] and project(folder)["classifiers"]


def test_the_present_version_can_be_released(capsys):
    tag = f"v{project('.')['version']}"
    assert release.main([tag, "--repository", REPOSITORY]) == 0
    assert capsys.readouterr().out == f"{tag} can be released.\n"


@pytest.fixture
def copy(tmp_path):
    """Copy the files that the check reads to a folder and return it."""
    for name in ("pyproject.toml", f"{GUARD}/pyproject.toml", "CHANGELOG.md", *release.EXAMPLE):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_another_version_or_repository_is_refused(copy):
    found = release.reasons_against("v9.9.9", "https://github.com/somebody/else", copy)
    assert len(found) == 8
    assert found[0] == "pyproject.toml has the version 0.1.0, but the tag is v9.9.9"
    assert found[4:7] == [
        "examples/other_project/requirements.txt does not say "
        "`dbt-spark-contracts[embedded]==9.9.9`",
        "examples/other_project/.pre-commit-config.yaml does not say "
        "`repo: https://github.com/somebody/else rev: v9.9.9`",
        "examples/other_project/.github/workflows/pull_request.yml does not say "
        "`uses: somebody/else@v9.9.9`",
    ]
    assert found[-1] == "CHANGELOG.md has no changes below `## 9.9.9`"


def test_a_version_without_changes_is_refused(copy):
    (copy / "CHANGELOG.md").write_text("# Changelog\n\n## 0.1.0\n\n## 0.0.1\n\n- Something.\n")
    assert release.reasons_against("v0.1.0", REPOSITORY, copy) == [
        "CHANGELOG.md has no changes below `## 0.1.0`"
    ]
