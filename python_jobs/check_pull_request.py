"""Check a pull request without data.

    python -m python_jobs.check_pull_request [--base origin/main] [--no-build]

Builds every layer with no rows, which holds each model against its contract, and compares the
contracts with those of the base branch: a promise to readers is changed by a new version of the
model only (docs/pull_requests.md). Builds the base in the same way, and tells which columns of Gold
and which exposures the change touches. Ends with 0, or 1 and a list of what is wrong, or 2 if it
cannot tell. Under GitHub Actions all that is the job's summary too, and each problem an annotation.
"""

import argparse
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import dbt_spark_contracts
from dbt.cli.main import dbtRunner
from dbt_spark_contracts.lineage.project import marked
from dbt_spark_contracts.lineage.record import FILE_NAME, Unreadable
from dbt_spark_contracts.nodes import is_enforced

from python_jobs.blast_radius import blast_radius, read_state
from python_jobs.blast_radius import report as report_touched

ROOT = Path(__file__).parents[1]
STATE = ROOT / "target" / "pull_request"
# Artifacts of commits that pull requests began at. Anybody may delete it, at any time.
BASES = STATE / "bases"
BASES_KEPT = 10  # two for a commit
PARSED, LINEAGE_OF_BASE = "state", "lineage_of_base"
KEPT = {PARSED: ["manifest.json"], LINEAGE_OF_BASE: ["manifest.json", FILE_NAME]}
ON_PURPOSE = "On purpose? Keep it, with its table, as version 1: see docs/pull_requests.md"
MARK_ON_PURPOSE = (
    "A marked column stays where it is: see docs/contracts.md. On purpose? Let whoever answers for "
    "the data merge it."
)


class CannotCheck(Exception):
    """Why there is nothing to compare with, in one line."""


@dataclass
class Problem:
    """One thing that is wrong: (file, line, text) of each place, and more lines, as Markdown."""

    title: str
    places: list[tuple[str, int, str]]
    details: list[str]


def check(base: str, folder: Path, build: bool) -> tuple[list[Problem], list[str]]:
    """What is wrong with the working tree as a change of `base`, whose files go to `folder`; and
    what the change touches, as Markdown."""
    before = base_state(base, folder, build)
    parsed = dbt("parse")
    if parsed.exception:
        return [failure("the project does not parse", parsed.exception)], []
    problems = (failed_nodes() if build else []) + broken_promises(before) + lost_marks(before)
    return problems, touched(folder) if build else []


def dbt(*args, project: Path = ROOT, state: Path = STATE, on_event=None, says: str = "none"):
    """Run `dbt *args` in this process on the target `ci`; its artifacts go to `state`."""
    options: tuple = ("--target", "ci", "--project-dir", project, "--profiles-dir", ROOT)
    options += ("--target-path", state, "--log-level", says)
    runner = dbtRunner(callbacks=[on_event] if on_event else [])
    return runner.invoke([str(arg) for arg in (*args, *options)])


def git(*args: str, otherwise: str = "") -> str:
    """What `git *args` prints. Raises CannotCheck: `otherwise`, or else what git says."""
    done = subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise CannotCheck(otherwise or " ".join(done.stderr.split()))
    return done.stdout.strip()


def base_state(base: str, folder: Path, build: bool) -> Path:
    """What the commit where the branch began promised: `state` and, of a build, its lineage.

    It is that commit, and not `base` itself: what `base` got since was not removed here. Its
    artifacts are kept in BASES for the next check, and copied, because a check changes them.

    Args:
        base: The branch or commit that the pull request goes to.
        folder: Where the artifacts go.
        build: Whether the commit's column lineage is needed, for which it is built.

    Returns:
        The folder of the commit's manifest.

    Raises:
        CannotCheck: If git knows no such commit, or the commit does not parse.
    """
    git("rev-parse", "--git-dir", otherwise="this is no git repository")
    unknown = f"git knows no {base}: fetch it, or name another branch or commit with --base"
    git("rev-parse", "--verify", "--quiet", f"{base}^{{commit}}", otherwise=unknown)
    unrelated = f"{base} and this branch have no commit in common: fetch the whole history"
    commit = git("merge-base", base, "HEAD", otherwise=unrelated)
    wanted = [PARSED, LINEAGE_OF_BASE] if build else [PARSED]
    kept = {name: BASES / f"{commit[:12]}-{checking_code()[:12]}-{name}" for name in wanted}
    try:
        for name, artifacts in kept.items():
            shutil.copytree(artifacts, folder / name, dirs_exist_ok=True)
    except OSError:  # not there, or just being deleted
        error = make_base_state(commit, folder, build)
        if error:
            said = " ".join(str(error).split())
            raise CannotCheck(f"{base} ({commit[:9]}) does not parse: {said}") from error
        for name, artifacts in kept.items():
            keep(folder / name, KEPT[name], artifacts)
    return folder / PARSED


def make_base_state(commit: str, folder: Path, build: bool) -> BaseException | None:
    """Parse, and build if asked for, a commit in a work tree of its own. Out: why it fails to."""
    tree = folder / "base"
    git("worktree", "add", "--detach", str(tree), commit)
    try:
        error = dbt("parse", project=tree, state=folder / PARSED).exception
        if build and not error:
            build_empty(tree, folder / LINEAGE_OF_BASE)
    finally:
        git("worktree", "remove", "--force", str(tree))
    return error


def checking_code() -> str:
    """A hash of what, besides a commit, its artifacts are made by: this code, and its libraries."""
    code = hashlib.sha256()
    package = Path(dbt_spark_contracts.__file__).parent
    for file in [Path(__file__), ROOT / "profiles.yml", *sorted(package.rglob("*.py"))]:
        code.update(file.read_bytes())
    for name in ("dbt-core", "dbt-spark", "pyspark"):
        code.update(f"{name} {version(name)}".encode())
    return code.hexdigest()


def keep(made: Path, names: list[str], kept: Path) -> None:
    """Keep these files of a base as `kept`, all or none, and of other bases the newest few."""
    if not all((made / name).is_file() for name in names):
        return  # the base does not build
    BASES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BASES, prefix=".") as folder:
        whole = Path(folder) / "whole"
        whole.mkdir()
        for name in names:
            shutil.copy(made / name, whole)
        with contextlib.suppress(OSError):  # a check beside this one has made the same
            whole.rename(kept)
    for old in sorted(BASES.glob("[!.]*"), key=lambda base: base.stat().st_mtime)[:-BASES_KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def build_empty(tree: Path, state: Path) -> None:
    """Build the tables of a tree with no rows, in schemas of their own; if it fails, it fails."""
    os.environ["LAKEHOUSE_SCHEMA"] = "base"
    without_tests = ("--exclude-resource-type", "unit_test", "--exclude-resource-type", "test")
    dbt("build", "--empty", *without_tests, project=tree, state=state)
    del os.environ["LAKEHOUSE_SCHEMA"]


def touched(folder: Path) -> list[str]:
    """What the change touches in Gold, as Markdown, by the builds of the base and of this tree."""
    try:
        before, after = read_state(folder / LINEAGE_OF_BASE), read_state(STATE)
    except (FileNotFoundError, Unreadable):
        return ["The base, or this tree, has no column lineage: what is touched cannot be told."]
    return [*report_touched(blast_radius(before, after))]


def failed_nodes() -> list[Problem]:
    """Builds every layer with no rows: what failed. (Unit tests bring rows, and take time.)"""
    # What earlier checks found of the columns is not of this tree.
    (STATE / FILE_NAME).unlink(missing_ok=True)
    built = dbt("build", "--empty", "--exclude-resource-type", "unit_test", says="info")
    if built.exception:
        return [failure("the build did not run", built.exception)]
    return [of_result(result) for result in built.result if result.status in ("error", "fail")]


def of_result(result) -> Problem:
    """The problem of a node that failed: dbt's contract table, row by row; each column that it
    hands on under another name; each key of which it has several rows; or another error."""
    node = result.node
    said = [line.strip() for line in result.message.splitlines()]
    leak = rf"{re.escape(node.name)}\.\w+\S* (is|cannot be traced)\b"
    if leaks := [line for line in said if re.match(leak, line)]:
        columns = [line.split(".")[1].split()[0] for line in leaks]
        places = [in_model(node.original_file_path, column) for column in columns]
        told = [(*place, line) for place, line in zip(places, leaks, strict=True)]
        ways_out = [line for line in said if line.startswith(("Leave them out", "Make them of"))]
        return Problem(f"{node.search_name} hands on what has to stay", told, ways_out)
    if keys := [line for line in said if line.startswith(f"{node.name}: the contract promises")]:
        told = [(node.original_file_path, 1, line) for line in keys]
        return Problem(f"{node.search_name} has more rows than its contract promises", told, [])
    table = [line for line in said if line.startswith("|")]
    if "mismatch_reason" not in "".join(table[:1]):
        return failure(f"{node.resource_type} {node.name} failed", result.message, node)
    told = []
    for row in table[2:]:
        column, _, _, reason = (cell.strip() for cell in row.strip("|").split("|"))
        if reason == "missing in definition":
            place = in_yml(node.patch_path, node.name, column)
        else:
            place = in_model(node.original_file_path, column)
        told.append((*place, f"{node.name}: {column} is {reason}"))
    return Problem(f"{node.search_name} does not keep its contract", told, table)


def broken_promises(before: Path) -> list[Problem]:
    """Each breaking change of a contract that dbt finds, by `state:modified`, since `before`.

    Of a model without versions dbt tells it by a warning, which is an error here. As dbt's own
    error (`--warn-error-options`) the first would hide the others.
    """
    nodes = json.loads((STATE / "manifest.json").read_text(encoding="utf-8"))["nodes"]
    let_versions_follow(before / "manifest.json", nodes)
    changes = {}

    def on_event(event) -> None:
        if event.info.name == "UnversionedBreakingChange":
            changes[event.data.model_name] = list(event.data.breaking_changes)

    # dbt lists the tests of a modified model too, and unit tests have files of their own.
    select = ("--select", "state:modified", "--exclude-resource-type", "unit_test")
    listed = dbt("ls", *select, "--state", before, "--output", "path", on_event=on_event)
    if hasattr(listed.exception, "breaking_changes"):  # of a model with versions
        changes[listed.exception.node.name] = listed.exception.breaking_changes
    elif listed.exception:
        return [failure("the comparison did not run", listed.exception)]
    else:
        print("\nModified:", ", ".join(sorted({*listed.result})) or "nothing")
    return [of_change(name, breaking, nodes) for name, breaking in sorted(changes.items())]


def lost_marks(before: Path) -> list[Problem]:
    """Each column that is marked in `before`, and may be there still without the mark.

    The marks keep it from readers (docs/contracts.md), so to take one away breaks a promise too.
    """
    manifests = [
        json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        for folder in (before, STATE)
    ]
    old, new = ({**manifest["nodes"], **manifest["sources"]} for manifest in manifests)
    problems = []
    for key, node in new.items():
        columns = {each["name"].lower(): each for each in node["columns"].values()}
        # A column that a contract names no more is gone, which dbt tells by itself.
        is_promised = is_enforced(node["config"])
        places = []
        for column in old.get(key, {"columns": {}})["columns"].values():
            name = column["name"]
            kept = columns.get(name.lower(), column if is_promised else {"meta": {}})
            for mark in sorted(marked(column) - marked(kept)):
                place = in_yml(node.get("patch_path") or "", node["name"], name)
                places.append((*place, f"{node['name']}.{name} is not marked {mark} any more"))
        if places:
            problems.append(Problem(f"{node['name']} takes a mark away", places, [MARK_ON_PURPOSE]))
    return problems


def let_versions_follow(manifest: Path, nodes: dict[str, dict]) -> None:
    """Have a model that got versions compared with the version that keeps its table.

    A version has an id of its own, so dbt would take the model for deleted. In: the base's
    manifest, which is changed; the nodes of the working tree's.
    """
    before = json.loads(manifest.read_text(encoding="utf-8"))
    versions = {node["relation_name"]: key for key, node in nodes.items() if node.get("version")}
    for key in before["nodes"].keys() - nodes.keys():
        node = before["nodes"][key]
        version = versions.get(node.get("relation_name"))
        if version and not node.get("version"):
            before["nodes"][version] = before["nodes"].pop(key) | {"unique_id": version}
    manifest.write_text(json.dumps(before), encoding="utf-8")


def of_change(name: str, breaking: list[str], nodes: dict[str, dict]) -> Problem:
    """The problem of a changed contract: dbt's texts, each a heading and an item a line."""
    patch_path = next((node["patch_path"] for node in nodes.values() if node["name"] == name), "")
    places = []
    for heading, *items in (text.splitlines() for text in breaking):
        for item in [item.strip(" -") for item in items] or [""]:
            column = item.rpartition(" on column ")[2].partition(" ")[0]
            place = in_yml(patch_path, name, column)
            places.append((*place, f"{name}: {heading.strip()} {item}".rstrip()))
    return Problem(f"{name} breaks a promise to its readers", places, [ON_PURPOSE])


def failure(title: str, error: Exception | str, node=None) -> Problem:
    """A problem known by an error's text: in its node's file, or a model's file that it names.

    Of a Python model the error tells the line too.
    """
    text, node = str(error), node or getattr(error, "node", None)
    # Which of dbt's macros were on the way tells nothing about the change.
    lines = [line for line in text.splitlines() if not re.match(r" *> (in|called by) ", line)]
    reason = next((line.strip() for line in lines if not re.search(r"Error( in .*)?$", line)), "")
    names = re.findall(r"[\w-]+\.(?:py|sql|yml)\b", text)
    named = (path.relative_to(ROOT) for name in names for path in ROOT.glob(f"models/**/{name}"))
    file = str(node.original_file_path if node else next(named, ""))
    told = re.findall(r"\bline (\d+)", text) if file.endswith(".py") else []
    place = (file, int(told[-1]) if told else 1, f"{title}: {reason}")
    # What Spark adds (a query plan) is long, and stands in logs/dbt.log.
    return Problem(title, [place], ["```text", *lines[:20], "```"])


def in_yml(patch_path: str, model: str, column: str) -> tuple[str, int]:
    """The yml file that describes a model, and the line of its column, or else of the model."""
    file = (patch_path or "").partition("://")[2]
    lines = read(file)
    start = find(rf"^  - name: {model}$", lines)
    end = find(r"^  - ", lines, start) or len(lines)
    found = column and find(rf"(name: |\*){re.escape(column)}$", lines[:end], start)
    return file, found or start or 1


def in_model(file: str, column: str) -> tuple[str, int]:
    """A model's file, and the line that puts a column out: or its select, return, `def model`."""
    lines = read(file)
    put_out = rf"""(^\s*["']?(\w+\.)?|\bas |alias\(["']){re.escape(column)}["']?\)?,?$"""
    for pattern in (put_out, r"\bselect\b", r"^    return\b", r"^def model\b"):
        if found := find(pattern, lines[::-1]):
            return file, len(lines) + 1 - found
    return file, 1


def read(file: str) -> list[str]:
    """The lines of a file of the project; none if it is gone."""
    path = ROOT / file
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def find(pattern: str, lines: list[str], after: int = 0) -> int:
    """The number (from 1) of the first line after `after` with the pattern; 0 if there is none."""
    numbers = range(after, len(lines))
    return next((number + 1 for number in numbers if re.search(pattern, lines[number])), 0)


def report(problems: list[Problem]) -> Iterator[str]:
    """The lines of the report: Markdown that reads well on a terminal too."""
    yield f"## Pull request check: {len(problems) or 'no'} problem{'s' * (len(problems) != 1)}"
    for problem in problems:
        yield f"\n### {problem.title}\n"
        yield from (f"- {file}:{line} {text}" for file, line, text in problem.places if file)
        yield from ("", *problem.details)


def annotations(problems: list[Problem]) -> Iterator[str]:
    """The commands that have GitHub show each place of a problem in the pull request."""
    for file, line, text in (place for problem in problems for place in problem.places):
        yield f"::error file={file},line={line}::{text}" if file else f"::error::{text}"


def main() -> int:
    """Check, report, and say by a number how it ended."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="origin/main", help="where the pull request will go")
    parser.add_argument("--no-build", action="store_true", help="only compare: needs no Spark")
    args = parser.parse_args()
    # The answer depends on the code alone, and no table of another target is within reach.
    for name in [name for name in os.environ if name.startswith("LAKEHOUSE_")]:
        del os.environ[name]
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            os.environ |= {"LAKEHOUSE_HOME": folder, "LAKEHOUSE_SHUFFLE_PARTITIONS": "1"}
            problems, touches = check(args.base, Path(folder), build=not args.no_build)
    except CannotCheck as error:
        print(f"Cannot check: {error}", file=sys.stderr)
        return 2
    lines = [*report(problems), "", *touches]
    print("", *lines, sep="\n")
    if os.environ.get("GITHUB_ACTIONS"):
        print(*annotations(problems), sep="\n")
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as file:
            print(*lines, sep="\n", file=file)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
