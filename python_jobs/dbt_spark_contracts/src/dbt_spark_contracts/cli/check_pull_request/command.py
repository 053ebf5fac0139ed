"""`dbt-spark-contracts check-pr`: check a pull request without data, docs/pull_requests.md."""

import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dbt_spark_contracts.cli.check_pull_request.exit_codes import CANNOT_CHECK, EXPLAINED, exit_code

if TYPE_CHECKING:
    from dbt_spark_contracts.cli.check_pull_request.check import Checked

STDOUT = Path("-")


@click.command("check-pr", epilog=EXPLAINED)
@click.option("--base", default="origin/main", show_default=True, help="Where it will go.")
@click.option("--no-build", is_flag=True, help="Only compare: needs no Spark, finds no leaks.")
@click.option(
    "--json", "json_file", type=Path, metavar="FILE", help="Write the report as JSON. -: stdout."
)
@click.option("--sarif", type=Path, metavar="FILE", help="Write the problems as SARIF 2.1.0.")
@click.option("--comment", is_flag=True, help="Update one comment in the pull request.")
@click.option("--project-dir", type=Path, default=Path(), help="The dbt project. Default: here.")
@click.option("--profiles-dir", type=Path, help="Default: the project's.")
@click.option("--target", default="ci", show_default=True, help="The target of the profile.")
@click.pass_context
def check_pr(
    context: click.Context,
    base: str,
    no_build: bool,
    json_file: Path | None,
    sarif: Path | None,
    comment: bool,
    project_dir: Path,
    profiles_dir: Path | None,
    target: str,
) -> None:
    """Check a pull request without data.

    Builds every layer without rows, which checks each model against its contract. Compares the
    project with the base branch: which promises to readers break, and which columns of
    Gold and which exposures the change touches.
    """
    # Imported late, because they import dbt.
    from dbt_spark_contracts.cli.check_pull_request.check import check
    from dbt_spark_contracts.cli.check_pull_request.problem import CannotCheck
    from dbt_spark_contracts.cli.check_pull_request.project import Project

    folder = project_dir.resolve()
    project = Project(folder, (profiles_dir or folder).resolve(), target)
    # The result depends on the code alone, and tables of other targets are out of reach.
    for name in [name for name in os.environ if name.startswith("LAKEHOUSE_")]:
        del os.environ[name]
    try:
        if not (folder / "dbt_project.yml").is_file():
            raise CannotCheck(
                f"{folder} has no dbt_project.yml: give its folder with --project-dir"
            )
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as needed:
            os.environ |= {"LAKEHOUSE_HOME": needed, "LAKEHOUSE_SHUFFLE_PARTITIONS": "1"}
            # With --json -, only the JSON goes to stdout.
            out = sys.stderr if json_file == STDOUT else sys.stdout
            with contextlib.redirect_stdout(out):
                checked = check(project, base, Path(needed), not no_build)
    except CannotCheck as error:
        print(f"Cannot check: {error}", file=sys.stderr)
        context.exit(CANNOT_CHECK)
    try:
        _tell(checked, json_file, sarif, comment)
    except OSError as error:
        print(f"Cannot write the report: {error.filename}: {error.strerror}", file=sys.stderr)
        context.exit(CANNOT_CHECK)
    context.exit(exit_code(checked))


def _tell(checked: "Checked", json_file: Path | None, sarif: Path | None, comment: bool) -> None:
    """Write the report to all requested places."""
    from dbt_spark_contracts.cli.check_pull_request.report import github
    from dbt_spark_contracts.cli.check_pull_request.report.as_json import as_json
    from dbt_spark_contracts.cli.check_pull_request.report.markdown import report
    from dbt_spark_contracts.cli.check_pull_request.report.sarif import as_sarif

    lines = [*report(checked)]
    if json_file == STDOUT:
        print(as_json(checked), end="")
    else:
        print("", *lines, sep="\n")
        if json_file:
            json_file.write_text(as_json(checked), encoding="utf-8")
    if sarif:
        sarif.write_text(as_sarif(checked), encoding="utf-8")
    if os.environ.get("GITHUB_ACTIONS") and json_file != STDOUT:
        print(*github.annotations(checked.problems), sep="\n")
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        github.write_summary(lines, summary)
    if comment:
        github.comment(lines)
