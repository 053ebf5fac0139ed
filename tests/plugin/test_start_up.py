"""A command without Spark starts no Java and loads no more than dbt-spark does.

dbt imports the plugin in every command, in projects of any adapter. The tests run the commands in
separate processes, because a process keeps its imports.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from dbt_spark_contracts.spark.java import find_java_home

from tests.support.dbt_runner import ROOT

# Runs dbt commands one after the other, with or without this plugin. Reports for each command the
# imported modules and the started programs. dbt imports each package named dbt_* to look for
# plugins; dbt-core 1.12 brings such a package.
STEPS = """
import importlib, json, pkgutil, sys
from pathlib import Path
from types import SimpleNamespace
started = []
sys.addaudithook(
    lambda event, arguments: started.append(str(arguments[0]))
    if event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system") else None
)
import dbt.task.docs.serve as serve
from dbt.cli.main import dbtRunner
from dbt.plugins.manager import PluginManager

class Server:  # in place of the one that `docs serve` waits for
    def __init__(self, *arguments): pass
    def __enter__(self): return self
    def __exit__(self, *arguments): pass
    def serve_forever(self): pass

serve.socketserver = SimpleNamespace(TCPServer=Server)
told, has_plugin, commands = sys.argv[1:]
if has_plugin == "no":
    others = [
        name for _, name, _ in pkgutil.iter_modules()
        if name.startswith("dbt_") and name != "dbt_spark_contracts"
    ]
    PluginManager.get_prefixed_modules = classmethod(
        lambda cls: {name: importlib.import_module(name) for name in others}
    )
results = {}
for name, arguments in json.loads(commands).items():
    started.clear()
    success = dbtRunner().invoke(arguments).success
    results[name] = {
        "success": success, "modules": sorted(sys.modules), "started": started.copy()
    }
Path(told).write_text(json.dumps(results))
"""

COMMANDS = {
    "parse": ["parse"],
    "ls": ["ls"],
    "docs serve": ["docs", "serve", "--no-browser"],
    "deps": ["deps"],
    "help": ["--help"],
    "help of a command": ["build", "--help"],
}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    (folder / "models").mkdir()
    (folder / "models/a.sql").write_text("select 1 as id")
    (folder / "dbt_project.yml").write_text(
        "{name: small, profile: lakehouse, flags: {send_anonymous_usage_stats: false}}"
    )
    (folder / "target").mkdir()
    return folder


@pytest.fixture(scope="module")
def run(project):
    """Return a function that runs dbt commands in one process.

    `run("local", commands, plugin=False)` returns what each command has imported and started.
    """

    def run_commands(target: str, commands: dict[str, list[str]], plugin: bool = True) -> dict:
        told = project / "told.json"
        variables = {
            "DBT_PROFILES_DIR": str(ROOT),
            "LAKEHOUSE_TARGET": target,
            "LAKEHOUSE_HOME": str(project / "lakehouse"),
            # Start no spare Java.
            "CI": "true",
        }
        has_plugin = "yes" if plugin else "no"
        subprocess.run(
            [sys.executable, "-c", STEPS, str(told), has_plugin, json.dumps(commands)],
            env=os.environ | variables,
            cwd=project,
            check=True,
            timeout=600,
        )
        results = json.loads(told.read_text())
        assert [name for name, result in results.items() if not result["success"]] == []
        return results

    return run_commands


@pytest.fixture(scope="module")
def without_plugin(run) -> dict:
    return run("local", COMMANDS, plugin=False)


@pytest.fixture(scope="module")
def with_plugin(run) -> dict:
    return run("local", COMMANDS)


def java(started: list[str]) -> list[str]:
    """Return the started programs that are Java, or that start it: Spark's script or a shell."""
    return [name for name in started if Path(name).name in ("java", "spark-submit", "sh")]


@pytest.mark.parametrize("command", COMMANDS)
def test_without_spark_no_more_of_it_is_loaded_than_by_dbt_spark(
    command, without_plugin, with_plugin
):
    added = {*with_plugin[command]["modules"]} - {*without_plugin[command]["modules"]}
    own = ("dbt_spark_contracts", "dbt.adapters.spark.")  # only one small file of the adapter
    assert [name for name in added if not name.startswith(own)] == []
    assert java(with_plugin[command]["started"]) == []


def test_project_of_another_adapter_loads_nothing_of_spark(run):
    """The adapter is Athena's, whose Spark runs in AWS."""
    modules = run("athena", {"parse": ["parse"]})["parse"]["modules"]
    assert "dbt_spark_contracts.plugin" in modules
    assert "dbt_spark_contracts.spark.session" not in modules
    strangers = ("pyspark", "py4j", "psutil", "dbt.adapters.spark")
    assert [name for name in modules if name.startswith(strangers)] == []


def test_a_command_with_spark_is_seen_to_start_it(run):
    """The checks of the tests above find Java and Spark when a command needs them."""
    shown = run("local", {"show": ["show", "--inline", "select 1 as id"]})["show"]
    assert java(shown["started"]) != []
    assert "dbt_spark_contracts.spark.session" in shown["modules"]


QUICK = """
import subprocess, sys
import pytest

@pytest.mark.quick
def test_x():
    subprocess.run([sys.executable, "-c", {program!r}], check=True)
"""


@pytest.mark.parametrize(("program", "ended"), [("{java!r}, '-version'", 1), ("'true'", 0)])
def test_a_run_of_the_quick_tier_that_starts_java_fails(tmp_path, program, ended):
    """Also if another process starts it, and it has ended before."""
    command = program.format(java=str(find_java_home() / "bin/java"))
    file = tmp_path / "test_x.py"
    file.write_text(QUICK.format(program=f"import subprocess; subprocess.run([{command}])"))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "tests.conftest", "--tier", "quick"),
            *("--rootdir", tmp_path, file),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert "1 passed" in done.stdout
    assert ("started Java" in done.stdout, done.returncode) == (ended == 1, ended)
