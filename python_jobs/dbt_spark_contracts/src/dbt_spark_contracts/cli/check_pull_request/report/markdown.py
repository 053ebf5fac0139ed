"""The report as Markdown that is also readable on a terminal."""

from collections.abc import Iterator

from dbt_spark_contracts.cli.blast_radius import report as report_touched
from dbt_spark_contracts.cli.check_pull_request.check import Checked
from dbt_spark_contracts.cli.check_pull_request.problem import Place
from dbt_spark_contracts.cli.check_pull_request.text import inline

SHOWN = 10  # files
NOT_BUILT = (
    "Nothing was built (--no-build): leaks of marked columns, and queries that violate their "
    "contract, were not checked. The affected columns come from dbt's graph."
)


def report(checked: Checked) -> Iterator[str]:
    """Yield the lines of the report."""
    count = len(checked.problems)
    yield f"## Pull request check: {count or 'no'} problem{'s' * (count != 1)}\n"
    more = [f"{len(checked.files) - SHOWN} more"] if len(checked.files) > SHOWN else []
    files = ", ".join([*map(inline, checked.files[:SHOWN]), *more]) or "nothing"
    yield f"Compared with {inline(checked.base)}. Modified: {files}"
    if not checked.is_built:
        yield f"\n{NOT_BUILT}"
    for problem in checked.problems:
        yield f"\n### {inline(problem.title)}\n"
        yield from (f"- {_where(place)}{inline(place.text)}" for place in problem.places)
        yield from ("", *problem.details)
    if checked.radius is None:
        return
    yield ""
    yield from report_touched(checked.radius)
    if checked.proven:
        yield "\nProven no change: " + "; ".join(
            f"{inline(name)}, whose optimized plan is the same" for name in checked.proven
        )
    details = [change for change in checked.changes if change.details]
    for change in details:
        yield f"\n{inline(change.text)}:\n"
        yield from (f"- {inline(line)}" for line in change.details)


def _where(place: Place) -> str:
    return f"{inline(place.file)}:{place.line} " if place.file else ""
