"""Problems from dbt's results: the statuses, and the errors that nodes raised."""

import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dbt.exceptions import ContractError

from dbt_spark_contracts.cli.check_pull_request.locate import Locator
from dbt_spark_contracts.cli.check_pull_request.problem import Place, Problem
from dbt_spark_contracts.cli.check_pull_request.text import cell, fenced, inline
from dbt_spark_contracts.errors import PromiseBroken

FAILED = ("error", "fail", "partial success", "runtime error")
TITLES = {
    "leak": "returns a column that must stay",
    "key": "has more rows than its contract promises",
}
# Spark adds a long query plan to its errors. It is in logs/dbt.log.
SHOWN_LINES = 20


class Errors:
    """The errors that the nodes of a dbt command raise, by unique id.

    dbt's results have only the text of an error. The exception is available while dbt fires its
    event.
    """

    def __init__(self) -> None:
        self.by_node: dict[str, BaseException] = {}

    def on_event(self, event: Any) -> None:
        """Store the exception that dbt is handling. A callback for dbt's events."""
        error = sys.exc_info()[1]
        if error is not None and event.info.name.endswith("OnRun"):
            node = getattr(getattr(event.data, "node_info", None), "unique_id", "")
            self.by_node.setdefault(node, error)


def failed(results: Any, errors: Errors, locator: Locator) -> Iterator[Problem]:
    """Yield a problem for each failed node.

    Args:
        results: The results of dbt's command.
        errors: The errors that its nodes raised.
        locator: Finds places in the project's files.

    Yields:
        The problems.
    """
    for result in results:
        if str(result.status) in FAILED:
            node = result.node
            error = errors.by_node.get(node.unique_id)
            yield _of_error(node, error, result.message or str(result.status), locator)


def failure(
    title: str, error: BaseException | str, locator: Locator, node: Any = None, rule: str = "parse"
) -> Problem:
    """Return a problem that only has an error's text, placed in the file it is about."""
    node = node or getattr(error, "node", None)
    file = str(getattr(node, "original_file_path", "") or getattr(error, "path", "") or "")
    syntax = getattr(error, "exc", None)
    if file and not (locator.project.root / file).is_file():  # relative to a folder of models
        file = locator.named(file)
    if not file and isinstance(syntax, SyntaxError):
        file = locator.named(syntax.filename or "")
    message = str(getattr(error, "msg", None) or error)
    lines = [line for line in message.splitlines() if line.strip()]
    reason = lines[0].strip() if lines else title
    place = Place(locator.file(file), _line(error, file, locator), f"{title}: {reason}")
    return Problem(rule, title, [place], fenced(lines[:SHOWN_LINES]))


def _of_error(node: Any, error: BaseException | None, message: str, locator: Locator) -> Problem:
    for cause in _causes(error):
        if isinstance(cause, PromiseBroken):
            title = f"{node.search_name} {TITLES[cause.rule]}"
            places = [
                locator.in_model(node.original_file_path, column, line)
                if column
                else Place(locator.file(node.original_file_path), 1, line)
                for column, line in cause.lines
            ]
            return Problem(cause.rule, title, places, [*map(inline, cause.ways_out)])
        if isinstance(cause, ContractError) and cause.yaml_columns:
            return _of_contract(node, cause, locator)
    title = f"{node.resource_type} {node.name} failed"
    return failure(title, error or message, locator, node, "node-failed")


def _of_contract(node: Any, error: ContractError, locator: Locator) -> Problem:
    """Return one place per row of dbt's table of columns."""
    mismatches = error.get_mismatches()
    header = list(mismatches.column_names)
    rows = [[str(cell or "") for cell in row.values()] for row in mismatches.rows]
    places = []
    for column, _, _, reason in rows:
        text = f"{node.name}: {column} is {reason}"
        if reason == "missing in definition":
            places.append(locator.in_yml(node.patch_path, node.name, column, text))
        else:
            places.append(locator.in_model(node.original_file_path, column, text))
    table = [f"| {' | '.join(map(cell, row))} |" for row in (header, ["---"] * len(header), *rows)]
    return Problem("contract", f"{node.search_name} violates its contract", places, table)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and its causes."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _line(error: BaseException | str, file: str, locator: Locator) -> int:
    """Return the line of an error: of a syntax error, or where a model's code raised it."""
    path = locator.project.root / file
    if isinstance(error, str) or not file or not path.is_file():
        return 1
    syntax = getattr(error, "exc", None)
    if isinstance(syntax, SyntaxError) and syntax.lineno:
        text = path.read_text(encoding="utf-8")
        # dbt strips the blank lines at the beginning of a file.
        return syntax.lineno + text[: -len(text.lstrip())].count("\n")
    frames = [
        frame
        for cause in _causes(error)
        for frame in traceback.extract_tb(cause.__traceback__)
        if Path(frame.filename).resolve() == path.resolve()
    ]
    return (frames[-1].lineno if frames else 1) or 1
