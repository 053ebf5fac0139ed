"""Check a pull request without data: docs/pull_requests.md

    python -m python_jobs.check_pull_request [--base origin/main] [--no-build]

Builds every layer with no rows, which holds each model against its contract, and compares the
project with that of the base branch: which promises to readers break, and which columns of Gold and
which exposures the change touches.
"""

import argparse
import contextlib
import os
import sys
import tempfile
from pathlib import Path

from python_jobs.check_pull_request.check import Checked, check
from python_jobs.check_pull_request.exit_codes import CANNOT_CHECK, EXPLAINED, exit_code
from python_jobs.check_pull_request.problem import CannotCheck
from python_jobs.check_pull_request.project import Project
from python_jobs.check_pull_request.report import github
from python_jobs.check_pull_request.report.as_json import as_json
from python_jobs.check_pull_request.report.markdown import report
from python_jobs.check_pull_request.report.sarif import as_sarif

STDOUT = Path("-")


def main(arguments: list[str] | None = None) -> int:
    """Check, report, and say by a number how it ended."""
    options = _parser().parse_args(arguments)
    folder = options.project_dir.resolve()
    profiles = options.profiles_dir or folder
    project = Project(folder, profiles.resolve(), options.target)
    # The answer depends on the code alone, and no table of another target is within reach.
    for name in [name for name in os.environ if name.startswith("LAKEHOUSE_")]:
        del os.environ[name]
    try:
        if not (folder / "dbt_project.yml").is_file():
            raise CannotCheck(f"{folder} has no dbt_project.yml: name the project, --project-dir")
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as needed:
            os.environ |= {"LAKEHOUSE_HOME": needed, "LAKEHOUSE_SHUFFLE_PARTITIONS": "1"}
            # With --json - only that goes to stdout.
            out = sys.stderr if options.json == STDOUT else sys.stdout
            with contextlib.redirect_stdout(out):
                checked = check(project, options.base, Path(needed), not options.no_build)
    except CannotCheck as error:
        print(f"Cannot check: {error}", file=sys.stderr)
        return CANNOT_CHECK
    try:
        _tell(checked, options)
    except OSError as error:
        print(f"Cannot write the report: {error.filename}: {error.strerror}", file=sys.stderr)
        return CANNOT_CHECK
    return exit_code(checked)


def _tell(checked: Checked, options: argparse.Namespace) -> None:
    """Write the report to wherever it is asked for."""
    lines = [*report(checked)]
    if options.json == STDOUT:
        print(as_json(checked), end="")
    else:
        print("", *lines, sep="\n")
        if options.json:
            options.json.write_text(as_json(checked), encoding="utf-8")
    if options.sarif:
        options.sarif.write_text(as_sarif(checked), encoding="utf-8")
    if os.environ.get("GITHUB_ACTIONS") and options.json != STDOUT:
        print(*github.annotations(checked.problems), sep="\n")
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        github.write_summary(lines, summary)
    if options.comment:
        github.comment(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m python_jobs.check_pull_request",
        description=(__doc__ or "").splitlines()[0],
        epilog=EXPLAINED,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--base", default="origin/main", help="where the pull request will go (%(default)s)")
    add("--no-build", action="store_true", help="only compare: needs no Spark, sees no leak")
    add("--json", type=Path, metavar="FILE", help="write the report as JSON; - for stdout")
    add("--sarif", type=Path, metavar="FILE", help="write the problems as SARIF 2.1.0")
    add("--comment", action="store_true", help="keep one comment of the pull request; GITHUB_TOKEN")
    add("--project-dir", type=Path, default=Path(), help="the dbt project (this folder)")
    add("--profiles-dir", type=Path, help="the folder of profiles.yml (the project's)")
    add("--target", default="ci", help="the target of the profile (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
