"""CI runs the README's commands on its Python versions, and each command installs what it needs."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest
import yaml
from packaging.markers import Marker
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms, sys_tags
from packaging.utils import parse_wheel_filename

from tests.support.dbt_runner import ROOT
from tests.support.packages import uv

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pytestmark = pytest.mark.quick

README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = re.search(r"^## Two commands$(.*?)^## ", README, re.M | re.S)[1]
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
EXAMPLES = sorted(ROOT.glob("examples/*/.github/workflows/*.yml"))

# Only tests or linters import these.
NOT_FOR_A_BUILD = {"hypothesis", "moto", "numpy", "pandas", "playwright", "pyarrow", "ruff"}


def jobs(workflows: list = WORKFLOWS) -> list[dict]:
    files = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in workflows]
    return [job for file in files for job in file["jobs"].values()]


# What CI runs


def test_ci_runs_the_commands_of_the_readme():
    code = re.search(r"```sh\n(.*?)```", SECTION, re.S)[1]
    lines = [line.split(" #")[0] for line in code.splitlines()]
    commands = [part.strip() for line in lines for part in line.split("&&")]
    run = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    assert commands == ["pip install uv", "uv run dbt build", "uv run pytest"]
    ran = [command for line in run for command in commands if f"{line} ".startswith(f"{command} ")]
    assert list(dict.fromkeys(ran)) == commands


def test_the_pythons_are_the_same_wherever_they_are_named():
    oldest, newest = re.search(r"Python (3\.\d+) to (3\.\d+)", SECTION).groups()
    minors = range(int(oldest[2:]), int(newest[2:]) + 1)
    for file in (ROOT / "pyproject.toml", *ROOT.glob("python_jobs/*/pyproject.toml")):
        required = SpecifierSet(tomllib.loads(file.read_text())["project"]["requires-python"])
        assert [minor for minor in range(30) if f"3.{minor}.0" in required] == [*minors], file
    machines = next(job for job in jobs() if "strategy" in job)["strategy"]["matrix"]["include"]
    assert {machine["python"] for machine in machines} == {f"3.{minor}" for minor in minors}


def test_a_workflow_runs_pinned_code_for_a_limited_time():
    assert jobs() and EXAMPLES
    for job in jobs([*WORKFLOWS, *EXAMPLES]):
        assert job["timeout-minutes"]
    for line in "\n".join(file.read_text() for file in [*WORKFLOWS, *EXAMPLES]).splitlines():
        # The example names a release of this repository: python_jobs/release.py
        if "uses:" in line and "uses: owner/repository@v" not in line:
            assert re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


# Downloads


ANYWHERE = "python_version > '3'"


def locked(*options: str) -> list[dict]:
    """Return the packages in uv.lock for all machines, with their files."""
    command = [uv(), "export", "--quiet", "--frozen", "--format", "pylock.toml", *options]
    exported = subprocess.run(
        [*command, "--no-emit-workspace"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return tomllib.loads(exported.stdout)["packages"]


def tags_of(wheel: dict) -> frozenset[Tag]:
    return parse_wheel_filename(wheel["url"].rpartition("/")[2])[3]


def downloads(*options: str) -> dict[str, int]:
    """Return the size in bytes of each package that uv.lock has for this machine."""
    return {
        package["name"]: _best_file(package)["size"]
        for package in locked(*options)
        if Marker(package.get("marker", ANYWHERE)).evaluate()
    }


def _best_file(package: dict) -> dict:
    """Return the best wheel for this machine, or the sdist."""
    rank = {tag: number for number, tag in enumerate(sys_tags())}
    fitting = {}
    for wheel in package.get("wheels", ()):
        if tags := tags_of(wheel) & rank.keys():
            fitting[min(rank[tag] for tag in tags)] = wheel
    return fitting[min(fitting)] if fitting else package["sdist"]


def test_the_build_downloads_what_it_needs_and_as_much_as_the_readme_says():
    build, tests = downloads(), downloads("--group", "test")
    assert not NOT_FOR_A_BUILD & build.keys()
    assert tests.keys() >= NOT_FOR_A_BUILD | build.keys()
    said = [int(number) for number in re.findall(r"(\d+) MB", SECTION)]
    counted = [sum(build.values()), sum(tests.values()) - sum(build.values())]
    assert said == pytest.approx([size / 1e6 for size in counted], rel=0.1)


def test_the_benchmark_imports_only_its_group_and_the_build():
    modules = {
        name.split(".")[0]
        for file in ROOT.glob("python_jobs/bench/**/*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    imported = modules - sys.stdlib_module_names - {"python_jobs", "dbt_spark_contracts", "tables"}
    # The modules of dbt-core and of pyyaml, which dbt depends on.
    installed = downloads("--group", "bench").keys() | {"dbt", "yaml"}
    assert {"matplotlib", "pyarrow", "pyiceberg"} <= imported <= installed


# Installing the test dependencies


@pytest.fixture
def started_by_uv(tmp_path):
    """Return a function that runs pytest on one test with the project's conftest.py and a fake uv.

    `complete` is whether `uv sync --check` succeeds, and `sync` is the exit code of `uv sync`. The
    function returns the output and the calls of uv.
    """
    shutil.copy(ROOT / "conftest.py", tmp_path)
    (tmp_path / "test_one.py").write_text("def test_one():\n    pass\n")
    installed, asked, uv = (tmp_path / name for name in ("installed", "asked", "uv"))

    def run(*arguments: str, complete: bool, sync: int = 0) -> tuple[str, list[str]]:
        if complete:
            installed.touch()
        uv.write_text(
            f"""#!/bin/sh
            echo "$*" >> {shlex.quote(str(asked))}
            case "$*" in *--check*) test -e {shlex.quote(str(installed))}; exit;; esac
            touch {shlex.quote(str(installed))}
            exit {sync}
            """
        )
        uv.chmod(0o755)
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=tmp_path,
            env=os.environ | {"UV": str(uv), "PYTEST_ADDOPTS": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return ended.stdout, asked.read_text().splitlines()

    return run


CHECK = "sync --inexact --group test --check --quiet"
SYNC = "sync --inexact --group test"


def test_the_first_test_run_installs_the_rest_and_starts_again(started_by_uv):
    said, asked = started_by_uv("-k", "one", complete=False)
    assert asked == [CHECK, SYNC, CHECK]
    assert "Installing what the tests need besides the build." in said
    assert said.count("test session starts") == 1 and "1 passed" in said


def test_a_later_test_run_installs_nothing(started_by_uv):
    said, asked = started_by_uv(complete=True)
    assert asked == [CHECK]
    assert "Installing" not in said and "1 passed" in said


def test_without_the_test_tools_no_test_runs(started_by_uv):
    said, asked = started_by_uv(complete=False, sync=1)
    assert asked == [CHECK, SYNC]
    assert said.rstrip().endswith("uv could not install the dependency group `test`: see above.")
    assert "passed" not in said


# Supported machines

MANYLINUX = ["manylinux1", "manylinux2010", "manylinux2014"]
MANYLINUX += [f"manylinux_2_{minor}" for minor in range(5, 29)]
MACHINES = {
    ("linux", "x86_64"): [f"{name}_x86_64" for name in MANYLINUX],
    ("linux", "aarch64"): [f"{name}_aarch64" for name in MANYLINUX],
    ("darwin", "arm64"): [*mac_platforms((14, 0), "arm64")],
}


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
@pytest.mark.parametrize("machine", MACHINES, ids="-".join)
def test_no_package_needs_a_compiler(machine, python):
    """The only sdists are pure Python, and thrift, which skips its C code without a compiler."""
    version = tuple(map(int, python.split(".")))
    platforms = MACHINES[machine]
    fitting = {*cpython_tags(version, platforms=platforms)}
    fitting |= {*compatible_tags(version, platforms=platforms)}
    system, processor = machine
    environment = {"sys_platform": system, "platform_machine": processor}
    environment |= {"python_version": python, "python_full_version": f"{python}.0"}
    without = {
        package["name"]
        for package in locked("--group", "test")
        if Marker(package.get("marker", ANYWHERE)).evaluate(environment)
        and not any(tags_of(wheel) & fitting for wheel in package.get("wheels", ()))
    }
    assert without == {"pyspark", "pyhive", "pure-sasl", "thrift"}
