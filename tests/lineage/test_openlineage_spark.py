"""Our column origins, of queries and of this project's models, beside those of OpenLineage."""

import re
import subprocess
import sys

import pytest

from tests.support.dbt_runner import ROOT
from tests.support.maven import artifact
from tests.support.openlineage_listener import LISTENER

pytestmark = pytest.mark.full

PAGE = (ROOT / "docs/lineage.md").read_text().replace("\n", " ")

# Where OpenLineage names an input that we do not, with the reason.
KNOWN = {
    # It has no struct fields. It reports every column of the struct or the stack.
    *("field of the largest struct: x", "transform, a field: x"),
    *("inline: x", "inline: y", "stack: x", "stack: y"),
    # We report it as a condition of the column.
    "scalar subquery: (rows)",
    # It reports a column that does not exist.
    "count(*): x",
}


def compared(module: str) -> tuple[str, list[str]]:
    """Run the page's command. Return the first line of what it prints, and the others."""
    artifact(LISTENER)  # skips the test if it cannot be downloaded
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
