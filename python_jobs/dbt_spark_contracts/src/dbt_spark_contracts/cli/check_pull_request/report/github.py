"""What GitHub shows in a pull request: annotations, the job's summary, and one comment.

The comment is written through GitHub's REST API, https://docs.github.com/rest/issues/comments. It
is created once, found again by a hidden marker, and then edited.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dbt_spark_contracts.cli.check_pull_request.problem import Problem

MARK = "<!-- check_pull_request -->"
# GitHub's limit for a comment, with some reserve.
LONGEST = 65_000
PAGE = 100
TIMEOUT_SECONDS = 20


def annotations(problems: Iterable[Problem]) -> Iterator[str]:
    """Yield the workflow commands that make GitHub annotate each place of a problem."""
    for file, line, text in (place for problem in problems for place in problem.places):
        where = f" file={_property(file)},line={line}" if file else ""
        yield f"::error{where}::{_data(text)}"


def write_summary(lines: list[str], file: str) -> None:
    """Append the report to the job's summary."""
    with Path(file).open("a", encoding="utf-8") as summary:
        print(*lines, sep="\n", file=summary)


def comment(lines: list[str], environment: Mapping[str, str] = os.environ) -> None:
    """Write the report as one comment of the pull request, which later checks edit.

    It needs a token (GITHUB_TOKEN), the repository (GITHUB_REPOSITORY) and the event of a pull
    request (GITHUB_EVENT_PATH), which workflows have. It never raises: a failure is a line on
    stderr and does not fail the check.
    """
    try:
        token, repository = environment["GITHUB_TOKEN"], environment["GITHUB_REPOSITORY"]
        number = _number(environment)
        api = environment.get("GITHUB_API_URL", "https://api.github.com")
        _write(_body(lines), f"{api}/repos/{repository}", number, token)
    except Exception as error:  # a failed comment must not fail the check
        told = f"{type(error).__name__}: {error}".splitlines()[0]
        missing = f"no {error.args[0]}" if isinstance(error, KeyError) else told
        print(f"The comment was not written ({missing}).", file=sys.stderr)


def _write(body: str, repository: str, number: int, token: str) -> None:
    own = _own_comment(repository, number, token)
    if own:
        _call("PATCH", f"{repository}/issues/comments/{own}", token, {"body": body})
    else:
        _call("POST", f"{repository}/issues/{number}/comments", token, {"body": body})


def _own_comment(repository: str, number: int, token: str) -> int | None:
    """Return the id of the comment that an earlier check has written, or None."""
    page = 1
    while True:
        address = f"{repository}/issues/{number}/comments?per_page={PAGE}&page={page}"
        comments = _call("GET", address, token)
        for each in comments:
            if (each.get("body") or "").startswith(MARK):
                return each["id"]
        if len(comments) < PAGE:
            return None
        page += 1


def _call(method: str, address: str, token: str, data: dict | None = None) -> Any:
    request = urllib.request.Request(
        address,
        method=method,
        data=json.dumps(data).encode() if data else None,
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "User-Agent": "check_pull_request",
            "X-GitHub-Api-Version": "2022-11-28",
        },
    )
    if not address.startswith(("https://", "http://")):
        raise ValueError(f"{address} is not the address of an API")
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
        return json.load(answer)


def _number(environment: Mapping[str, str]) -> int:
    """Return the number of the pull request that the workflow runs for."""
    event = json.loads(Path(environment["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    if "pull_request" not in event:
        raise ValueError("the event is not of a pull request")
    return int(event["pull_request"]["number"])


def _body(lines: list[str]) -> str:
    body = "\n".join([MARK, *lines])
    if len(body) <= LONGEST:
        return body
    cut = body[:LONGEST].rpartition("\n")[0]
    return f"{cut}\n\n… The rest is in the job's summary."


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
