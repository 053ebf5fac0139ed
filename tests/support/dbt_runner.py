"""Runs dbt in this process on the Spark of the tests, or in a separate process."""

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

# The logs of dbt and Spark for each pytest worker. CI keeps them when a run fails.
LOGS = ROOT / "logs" / "tests" / os.environ.get("PYTEST_XDIST_WORKER", "main")

# The module of dbt's command line.
DBT = ("dbt.cli.main",)

# Share parsed Jinja between projects, as dbt's own test fixtures do. Most Jinja of a small project
# is the macros of dbt and its adapters.
enable_test_caching()


# The dbt_project.yml of a small project whose runs are audited and published.
AUDITED = """
name: small
profile: lakehouse
flags: {send_anonymous_usage_stats: false}
models: {+file_format: iceberg, +materialized: table}
on-run-start: "{{ begin_run() }}"
on-run-end: "{{ end_run() }}"
"""


@dataclass
class DbtResult:
    """How a dbt command ended.

    Attributes:
        success: Whether dbt reports success.
        text: All log messages.
        said: The messages that dbt prints on the terminal.
        status: The status of each node, by name.
        message: The message of each node, by name.
        code: The compiled code of each node, by name.
        statements: The connection name of each statement that dbt sent to Spark, in order.
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
    """Set environment variables for the duration of the block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


class Dbt:
    """Runs dbt commands on a project. Each schema prefix is a separate lakehouse."""

    def __init__(
        self, home: Path, project_dir: Path = ROOT, target_path: Path | None = None
    ) -> None:
        self.home = home
        self.project_dir = project_dir
        self.target_path = target_path or home / "target"

    def __call__(self, *args: str, schema: str = "ci", **variables) -> DbtResult:
        """Run `dbt *args --vars variables` in the namespaces `<schema>_bronze` and so on."""
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
        """Render Jinja expressions for a target of the profile, without its engine."""
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
        """Start dbt in a separate process.

        Args:
            args: dbt's arguments.
            schema: The prefix of the namespaces.
            target_path: dbt's target folder.
            run: The module to run instead of dbt's command line, with its first arguments.
            before: A command that runs the process, such as `unshare`.
            variables: dbt's vars.

        Returns:
            The subprocess.Popen.
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
    """Create a dbt project from files. It runs on the same Spark."""
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
    """Copy this dbt project to a folder, so that a test can change it."""
    for name in ("models", "macros", "seeds", "tests/generic", "tests/singular"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("dbt_project.yml", "selectors.yml"):
        shutil.copy(ROOT / name, folder)
    return Dbt(dbt.home, folder, folder / "target")
