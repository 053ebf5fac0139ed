"""OpenLineage's listener for Spark, beside our column origins and beside those of this project."""

import re
import subprocess
import sys

import pytest

from tests.support.dbt_runner import ROOT
from tests.support.maven import artifact
from tests.support.openlineage_listener import LISTENER

pytestmark = [pytest.mark.engines, pytest.mark.full]

PAGE = (ROOT / "docs/lineage.md").read_text().replace("\n", " ")

# Where it names an input that we do not: why.
KNOWN = {
    # It has no fields of structs: each column counts that went into the struct, or the stack.
    *("field of the largest struct: x", "transform, a field: x"),
    *("inline: x", "inline: y", "stack: x", "stack: y"),
    # We say that it decides the column.
    "scalar subquery: (rows)",
    # There is no such column.
    "count(*): x",
}


def compared(module: str) -> tuple[str, list[str]]:
    """Run the page's command. Return the first line of what it prints, and the others."""
    artifact(LISTENER)  # or skipped
    assert f"uv run python -m {module}" in PAGE
    done = subprocess.run([sys.executable, "-m", module], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    summary, *others = done.stdout.splitlines()
    return summary, others


def test_openlineage_knows_no_input_that_we_do_not_but_for_those_listed():
    summary, others = compared("tests.support.openlineage_spark")
    only_theirs = {
        found[1] for line in others if (found := re.match(r"(.*): only.*OpenLineage: ", line))
    }
    assert only_theirs == KNOWN
    assert summary in PAGE


def test_the_models_of_this_project():
    summary, others = compared("tests.support.openlineage_models")
    inputs = ("event_id", "event_timestamp", "manufacturer", "model")
    assert others == [
        # The newest of a struct.
        *(
            f"gold_fuel_efficiency_monthly: {column}: only OpenLineage: "
            + ", ".join(f"silver_car_telemetry.{name}" for name in inputs if name != column)
            for column in ("manufacturer", "model")
        ),
        "bronze_car_events: we do not trace 10 of its columns and rows",
    ]
    assert summary in PAGE
