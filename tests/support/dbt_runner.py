"""dbt in this process on the Spark of the tests, or in a process of its own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from dbt.cli.main import dbtRunner
from dbt_common.tests import enable_test_caching
from dbt_spark_contracts.cli.main import run as run_tool

ROOT = Path(__file__).parents[2]

# dbt's log, and Spark's: of each of pytest's processes. CI keeps them of a run that failed.
LOGS = ROOT / "logs" / "tests" / os.environ.get("PYTEST_XDIST_WORKER", "main")

# dbt's own command line, as a module.
DBT = ("dbt.cli.main",)

# As dbt's own test fixtures do: Jinja that one project has parsed is not parsed again for the next.
# All have the macros of dbt and of its adapters, which are most of what a small one has.
enable_test_caching()


@dataclass
class DbtResult:
    """How a dbt command ended.

    Attributes:
        success: Whether dbt calls it a success.
        text: All that it logged.
        said: What of it stands on the terminal.
        status: Each node's status, by its name; so are the two below.
        message: Each node's message.
        code: Each node's compiled code.
        statements: The connection of each statement that dbt sent to Spark, in order.
    """

    success: bool
    text: str
    said: list[str]
    status: dict[str, str] = field(default_factory=dict)
    message: dict[str, str] = field(default_factory=dict)
    code: dict[str, str | None] = field(default_factory=dict)
    statements: list[str] = field(default_factory=list)


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """The process environment with these variables, for the time being."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


class Dbt:
    """Runs dbt commands on a project; each schema prefix is a lakehouse of its own."""

    def __init__(
        self, home: Path, project_dir: Path = ROOT, target_path: Path | None = None
    ) -> None:
        self.home = home
        self.project_dir = project_dir
        self.target_path = target_path or home / "target"

    def __call__(self, *args: str, schema: str = "ci", **variables) -> DbtResult:
        """`dbt *args` with `--vars variables`, in the namespaces <schema>_bronze …"""
        events = []
        runner = dbtRunner(callbacks=[events.append])
        with environment(**self._environment(schema)):
            result = runner.invoke([*args, *self._options(variables)])
        lines = [event.info.msg for event in events]
        if result.exception:
            lines.append(str(result.exception))
        nodes = [node for node in getattr(result.result, "results", ()) if hasattr(node, "node")]
        return DbtResult(
            result.success,
            "\n".join(lines),
            [event.info.msg for event in events if event.info.level != "debug"],
            {node.node.name: node.status for node in nodes},
            {node.node.name: node.message for node in nodes},
            {node.node.name: getattr(node.node, "compiled_code", None) for node in nodes},
            [e.data.conn_name for e in events if e.info.name in ("SQLQuery", "CodeExecution")],
        )

    def render(self, target: str, *expressions: str) -> dict[str, str]:
        """What these Jinja expressions render on a target of the profile, without its engine."""
        inline = "\x1f".join(f"{{{{ {expression} if execute }}}}" for expression in expressions)
        result = self("compile", "--no-introspect", "--target", target, "--inline", inline)
        assert result.success, result.text
        return dict(zip(expressions, result.code["inline_query"].split("\x1f"), strict=True))

    def tool(self, *args: str, schema: str) -> int:
        """Run `dbt-spark-contracts *args` in this process. Return the exit code."""
        options = ["--project-dir", str(self.project_dir), "--profiles-dir", str(ROOT)]
        with environment(**self._environment(schema)):
            return run_tool([*args, *options])

    def start(self, *args: str, schema: str, target_path: Path, run=DBT, before=(), **variables):
        """The same, in a process of its own: subprocess.Popen.

        `run` is what to run for dbt, `before` the command that runs all that.
        """
        return subprocess.Popen(
            [*before, sys.executable, "-m", *run, *args, *self._options(variables, target_path)],
            env=os.environ | self._environment(schema),
            cwd=ROOT,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _options(self, variables: dict, target_path: Path | None = None) -> list[str]:
        options = {
            "--project-dir": self.project_dir,
            "--profiles-dir": ROOT,
            "--target-path": target_path or self.target_path,
            "--log-path": LOGS,
            "--vars": yaml.safe_dump(variables),
        }
        return [str(part) for option in options.items() for part in option]

    def _environment(self, schema: str) -> dict[str, str]:
        return {
            "LAKEHOUSE_HOME": str(self.home),
            "LAKEHOUSE_SCHEMA": schema,
            "LAKEHOUSE_TARGET": "ci",
        }


def make_project(dbt: Dbt, project_dir: Path, files: dict[str, str]) -> Dbt:
    """A dbt project of the given files, on the same Spark."""
    settings = {
        "name": "small",
        "profile": "lakehouse",
        "flags": {"send_anonymous_usage_stats": False},
        "models": {
            "+file_format": "iceberg",
            "+materialized": "table",
            "+persist_docs": {"relation": True, "columns": True},
        },
    }
    for path, text in {"dbt_project.yml": yaml.safe_dump(settings), **files}.items():
        file = project_dir / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return Dbt(dbt.home, project_dir, project_dir / "target")


def copy_project(dbt: Dbt, folder: Path) -> Dbt:
    """This project's files that dbt reads, copied to a folder to be changed there."""
    for name in ("models", "macros", "seeds", "tests/generic", "tests/singular"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("dbt_project.yml", "selectors.yml"):
        shutil.copy(ROOT / name, folder)
    return Dbt(dbt.home, folder, folder / "target")
