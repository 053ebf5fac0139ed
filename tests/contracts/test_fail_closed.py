"""Gold and Bronze cannot be built unchecked: without the guard, the project does not parse."""

import shutil
import subprocess
import sys

import pytest

from tests.support.dbt_runner import ROOT

pytestmark = pytest.mark.quick

# Simulates an environment without the plugin: dbt does not find the module.
WITHOUT_PLUGIN = """
import pkgutil
found = pkgutil.iter_modules
pkgutil.iter_modules = lambda *paths: (m for m in found(*paths) if m.name != "dbt_spark_contracts")
from dbt.cli.main import cli
cli(["parse", "--no-partial-parse", "--no-use-colors", *{options}])
"""


@pytest.mark.parametrize(
    ("target", "reasons"),
    [
        # A staging model calls a macro of the plugin's package.
        ("local", ["'new_rows' is undefined"]),
        (
            "athena",
            [
                "Contract enforcement failed for: (models/",
                "Language Error: Expected 'sql' but found 'python'",
            ],
        ),
    ],
)
def test_without_the_plugin_the_project_does_not_parse(target, reasons, tmp_path):
    code = WITHOUT_PLUGIN.format(options=["--target", target, "--target-path", str(tmp_path)])
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode != 0
    for reason in reasons:
        assert reason in run.stdout


def test_gold_cannot_refer_to_bronze(tmp_path):
    project = tmp_path / "project"
    for part in ("models", "macros", "seeds"):
        shutil.copytree(ROOT / part, project / part)
    for part in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(ROOT / part, project)
    (project / "models/gold/x.sql").write_text("select * from {{ ref('bronze_car_events') }}")
    options = ["--project-dir", project, "--profiles-dir", ROOT, "--target-path", tmp_path / "t"]
    command = [sys.executable, "-m", "dbt.cli.main", "parse", *map(str, options)]
    run = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert run.returncode != 0
    assert "the referenced node is private to the 'intake' group" in run.stdout
