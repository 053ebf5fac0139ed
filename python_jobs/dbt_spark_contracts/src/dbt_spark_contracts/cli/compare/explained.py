"""Determines which differences a code change explains, by the lineage before and after it."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dbt_spark_contracts.cli.blast_radius import State, changed, gold, spread
from dbt_spark_contracts.cli.check_pull_request.manifest import Manifest
from dbt_spark_contracts.cli.compare.problem import CannotCompare
from dbt_spark_contracts.lineage.artifact import short_name
from dbt_spark_contracts.lineage.record import FILE_NAME, Unreadable, read

MADE_ANOTHER_WAY = "explained: the code computes it differently"
OTHER_ROWS = "may be explained: the code selects the rows differently"
UNEXPLAINED = "not explained by the code"
UNKNOWN = "not known: the model has no column lineage"

# The suffix that check-pr adds to a removed column.
GONE = " (gone)"


@dataclass(frozen=True)
class Explanation:
    """What a code change affects in one model.

    Attributes:
        since: What the code is compared with, in words.
        columns: The columns that are computed differently, in lower case.
        rows: Whether its rows are selected differently.
        is_known: Whether its lineage is known.
    """

    since: str
    columns: frozenset[str]
    rows: bool
    is_known: bool = True

    def of_column(self, name: str) -> str:
        """Return, in words, whether the code explains a different column."""
        if not self.is_known:
            return UNKNOWN
        if name.lower() in self.columns:
            return MADE_ANOTHER_WAY
        return OTHER_ROWS if self.rows else UNEXPLAINED

    def of_rows(self) -> str:
        """Return, in words, whether the code explains rows that only one table has."""
        if not self.is_known:
            return UNKNOWN
        return "explained: the code selects the rows differently" if self.rows else UNEXPLAINED


def since_file(node: dict, file: Path, target: Path) -> Explanation:
    """Compare the column lineage of an earlier build with that of the last build.

    Args:
        node: dbt's node of the model.
        file: The earlier column_lineage.json, with or without dbt's manifest.json beside it.
        target: The folder of dbt's artifacts.

    Returns:
        The explanation.

    Raises:
        CannotCompare: If one of the two files cannot be read.
    """
    states = []
    for each in (file, target / FILE_NAME):
        try:
            models = read(each).models
        except FileNotFoundError:
            raise CannotCompare(f"there is no {each}: `dbt build` writes it") from None
        except (Unreadable, OSError) as error:
            raise CannotCompare(f"{each} is not a column lineage file: {error}") from None
        states.append(State(_manifest(each.parent), models))
    before, after = states
    columns, rows, _ = changed(before, after)
    columns, rows, whole = spread(columns, rows, states)
    key = node["unique_id"]
    touched = frozenset(name.lower() for model, name in columns if model == key)
    is_known = key in after.models and key not in whole
    return Explanation(f"the lineage of {file}", touched, key in rows, is_known)


def _manifest(folder: Path) -> Manifest:
    """Return the manifest in a folder of artifacts, or an empty one if there is none."""
    try:
        return Manifest.read(folder)
    except (OSError, ValueError):
        return Manifest({"nodes": {}, "sources": {}, "exposures": {}, "macros": {}})


def since_commit(
    node: dict, nodes: dict[str, dict], base: str, where: Iterable[str]
) -> Explanation:
    """Check the code change since a commit, with the check of a pull request.

    The check builds both states without rows, in a catalog of its own. It runs in another process,
    because a process has only one catalog.

    Args:
        node: dbt's node of the model.
        nodes: All of dbt's nodes.
        base: The commit or branch.
        where: Options of check-pr that locate the project.

    Returns:
        The explanation.

    Raises:
        CannotCompare: If the check fails to run.
    """
    name = short_name(node["unique_id"])
    if node["unique_id"] not in gold(State(Manifest({"nodes": nodes, "sources": {}}), {})):
        raise CannotCompare(
            f"--base needs a model of Gold, and {name} is not one: use --lineage-before"
        )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "check.json"
        command = [sys.executable, "-m", "dbt_spark_contracts", "check-pr", "--base", base]
        done = subprocess.run(
            [*command, "--json", str(file), *where],
            capture_output=True,
            text=True,
            errors="replace",
        )
        if not file.is_file():
            said = (done.stderr.strip().splitlines() or ["the check ended without a message"])[-1]
            raise CannotCompare(f"--base {base}: {said}")
        checked = json.loads(file.read_text(encoding="utf-8"))
    if not checked["built"]:
        raise CannotCompare(f"--base {base}: the working tree does not parse: see `check-pr`")
    touched = next((each for each in checked["touched"] if each["model"] == name), None)
    since = f"the code since {checked['base']}"
    if touched is None:
        return Explanation(since, frozenset(), False)
    columns = frozenset(name.removesuffix(GONE).lower() for name in touched["columns"])
    return Explanation(since, columns, touched["rows_may_be_others"], touched["columns_are_traced"])
