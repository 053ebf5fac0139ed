"""The problems as SARIF 2.1.0, for code scanning."""

import json
from urllib.parse import quote

from dbt_spark_contracts.cli.check_pull_request.check import Checked
from dbt_spark_contracts.cli.check_pull_request.problem import RULES, Place, Problem

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
HELP = "docs/pull_requests.md"


def as_sarif(checked: Checked) -> str:
    """Return a log with one run, and one result per place of a problem."""
    rules = [
        {"id": rule, "shortDescription": {"text": text}, "help": {"text": f"See {HELP}."}}
        for rule, text in RULES.items()
    ]
    run = {
        "tool": {"driver": {"name": "check_pull_request", "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(problem, place) for problem in checked.problems for place in problem.places
        ],
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _result(problem: Problem, place: Place) -> dict:
    result: dict = {
        "ruleId": problem.rule,
        "ruleIndex": list(RULES).index(problem.rule),
        "level": "error",
        "message": {"text": place.text},
    }
    if place.file:
        file = {"uri": quote(place.file), "uriBaseId": "%SRCROOT%"}
        region = {"startLine": max(place.line, 1)}
        result["locations"] = [{"physicalLocation": {"artifactLocation": file, "region": region}}]
    return result
