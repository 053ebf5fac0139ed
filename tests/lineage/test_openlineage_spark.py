"""Our column origins compared with OpenLineage's Spark listener."""

import re
import subprocess
import sys

import pytest

from tests.support.dbt_runner import ROOT
from tests.support.maven import artifact
from tests.support.openlineage_spark import LISTENER

pytestmark = [pytest.mark.engines, pytest.mark.full]

# Where OpenLineage names an input that we do not, with the reason.
KNOWN = {
    # It has no struct fields. It reports every column of the struct or the stack.
    *("field of the largest struct: x", "transform, a field: x"),
    *("inline: x", "inline: y", "stack: x", "stack: y"),
    # The length of an array decides the number of rows. An open point in docs/lineage.md.
    *("explode: (rows)", "explode a map: (rows)", "posexplode: (rows)", "lateral view: (rows)"),
    # We report it as a condition of the column.
    "scalar subquery: (rows)",
    # It reports a column that does not exist.
    "count(*): x",
}


def test_openlineage_knows_no_input_that_we_do_not_but_for_those_listed():
    artifact(LISTENER)  # skips the test if it cannot be downloaded
    command = [sys.executable, "-m", "tests.support.openlineage_spark"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    summary, *others = done.stdout.splitlines()
    assert summary in (ROOT / "docs/lineage.md").read_text().replace("\n", " ")
    only_theirs = {
        found[1] for line in others if (found := re.match(r"(.*): only.*OpenLineage: ", line))
    }
    assert only_theirs == KNOWN
