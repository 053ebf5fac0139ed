"""The report as JSON, for programs. Its keys are stable."""

import json
from typing import Any

from dbt_spark_contracts.cli.compare import rows
from dbt_spark_contracts.cli.compare.columns import Pair
from dbt_spark_contracts.cli.compare.grain import Grain
from dbt_spark_contracts.cli.compare.report import words
from dbt_spark_contracts.cli.compare.result import Comparison
from dbt_spark_contracts.cli.compare.rows import Example

VERSION = 1
KINDS = {
    "only_old": rows.ONLY_OLD,
    "only_new": rows.ONLY_NEW,
    "more_old": rows.MORE_OLD,
    "more_new": rows.MORE_NEW,
}


def as_json(found: Comparison) -> str:
    """Return the result of a comparison as JSON."""
    explanation = found.explanation
    content: dict[str, Any] = {
        "version": VERSION,
        "equal": found.is_equal,
        "key": [pair.name for pair in found.columns.keys],
        "old": _table(found, "old", found.old, found.old_grain),
        "new": _table(found, "new", found.new, found.new_grain),
        "notes": [*words.notes(found)],
        "columns": {
            "only_old": [_alone(found, *column) for column in found.columns.only_old],
            "only_new": [_alone(found, *column) for column in found.columns.only_new],
            "retyped": [_retyped(found, pair) for pair in found.columns.retyped],
            "not_compared": [pair.name for pair in found.columns.others if not pair.way],
            "ignored": found.columns.ignored,
            "changed": [_changed(found, at) for at in sorted(found.counts.of_columns)],
        },
        "rows": {
            "same": found.counts["same"],
            "within_tolerance": found.counts["within_tolerance"],
            "changed": found.counts["changed"],
            **{name: _rows(found, name) for name in KINDS},
            "explained": explanation.of_rows() if explanation else None,
        },
        "explained_by": explanation.since if explanation else None,
        "hidden": dict(sorted(found.marks.items())),
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _table(found: Comparison, side: str, called: str, grain: Grain | None) -> dict[str, Any]:
    return {
        "called": called,
        "rows": found.counts[f"{side}_rows"],
        "keys": found.counts[f"{side}_keys"],
        "repeated_keys": found.counts[f"{side}_repeated"],
        "rows_without_key": found.counts[f"{side}_null_keys"],
        "one_row_per": grain.columns if grain else None,
    }


def _alone(found: Comparison, name: str, data_type: str) -> dict[str, Any]:
    return {"name": name, "type": data_type, "explained": _explained(found, name)}


def _retyped(found: Comparison, pair: Pair) -> dict[str, Any]:
    return {
        "name": pair.name,
        "old_type": pair.old_type,
        "new_type": pair.new_type,
        "compared_as": pair.way.called if pair.way else None,
        "note": pair.way.note if pair.way else "",
        "explained": _explained(found, pair.name),
    }


def _changed(found: Comparison, at: int) -> dict[str, Any]:
    name = found.columns.compared[at].name
    return {
        "name": name,
        "rows": found.counts.of_columns[at],
        "explained": _explained(found, name),
        "examples": [
            {"key": each.key, "old": each.old, "new": each.new}
            for each in found.examples.get(at, [])
        ],
    }


def _rows(found: Comparison, name: str) -> dict[str, Any]:
    examples: list[Example] = found.examples.get(KINDS[name], [])
    return {
        "rows": found.counts[f"{name}_rows"],
        "keys": found.counts[f"{name}_keys"],
        "examples": [each.key for each in examples],
    }


def _explained(found: Comparison, name: str) -> str | None:
    return found.explanation.of_column(name) if found.explanation else None
