"""The help of the command line fits on a screen, and imports neither dbt nor Spark."""

import subprocess
import sys

import pytest
from dbt_spark_contracts.cli.main import COMMANDS, run

pytestmark = pytest.mark.quick

SCREEN = 24, 80


@pytest.mark.parametrize("name", ["", *sorted(command.name for command in COMMANDS)])
def test_help_fits_a_screen(name, capsys):
    assert run([*name.split(), "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= SCREEN[0]
    assert max(map(len, lines)) <= SCREEN[1]
    assert "Usage: dbt-spark-contracts" in lines[0]


def test_a_wrong_command_line_is_2(capsys):
    assert run(["no-such-command"]) == 2
    assert "No such command 'no-such-command'" in capsys.readouterr().err


def test_help_and_completion_import_neither_dbt_nor_spark():
    script = (
        "import sys; from dbt_spark_contracts.cli.main import run; run(['--help']); "
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'dbt', 'pyspark'}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_a_profile_that_is_not_found_is_one_line(capsys, tmp_path, monkeypatch):
    (tmp_path / "dbt_project.yml").write_text("{name: small, profile: lakehouse}")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DBT_PROFILES_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    assert run(["history"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"history failed: Path '{tmp_path}/home/.dbt' does not exist. Name the folder of "
        "profiles.yml: --profiles-dir"
    ]


def test_ctrl_c_has_its_own_exit_code(capsys, tmp_path, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dbt_spark_contracts.cli.opened.Place.dbt", interrupted)
    assert run(["history", "--project-dir", str(tmp_path)]) == 130
    assert capsys.readouterr().err.splitlines() == ["Stopped."]
