"""The report as JSON for programs. The key names are stable."""

import json
from typing import Any

from dbt_spark_contracts.cli.blast_radius import reader
from dbt_spark_contracts.cli.check_pull_request.check import Checked
from dbt_spark_contracts.cli.check_pull_request.exit_codes import exit_code

VERSION = 1


def as_json(checked: Checked) -> str:
    """Return all findings as JSON."""
    radius = checked.radius
    found: dict[str, Any] = {
        "version": VERSION,
        "exit_code": exit_code(checked),
        "base": checked.base,
        "built": checked.is_built,
        "files": checked.files,
        "problems": [
            {
                "rule": problem.rule,
                "title": problem.title,
                "places": [place._asdict() for place in problem.places],
                "details": problem.details,
            }
            for problem in checked.problems
        ],
        "changes": [
            {
                "kind": change.kind,
                "text": change.text,
                "file": change.file,
                "reaches": sorted(change.reaches),
                "details": change.details,
            }
            for change in checked.changes
        ],
        "proven_no_change": checked.proven,
        "touched": [
            {
                "model": touched.model,
                "columns": touched.columns,
                "rows_may_be_others": touched.by_rows,
                "columns_are_traced": touched.is_traced,
                "moves": touched.moves,
                "exposures": [reader(exposure) for exposure in touched.exposures],
            }
            for touched in (radius.touched if radius else [])
        ],
        "untraced": radius.untraced if radius else [],
    }
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"
