"""Which differences a change of the code explains, by the column lineage before and after it."""

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

MADE_ANOTHER_WAY = "explained: the code makes it in another way"
OTHER_ROWS = "may be explained: the code chooses the rows in another way"
UNEXPLAINED = "not explained by the code"
UNKNOWN = "not known: the model's column lineage is not"

# What a check calls a column that the change removes.
GONE = " (gone)"


@dataclass(frozen=True)
class Explanation:
    """What a change of the code touches of one model.

    Attributes:
        since: What the code is compared with, in words.
        columns: The columns that are made in another way, in lower case.
        rows: Whether its rows are chosen in another way.
        is_known: Whether its lineage is known.
    """

    since: str
    columns: frozenset[str]
    rows: bool
    is_known: bool = True

    def of_column(self, name: str) -> str:
        """What the code explains of a column that differs, in words."""
        if not self.is_known:
            return UNKNOWN
        if name.lower() in self.columns:
            return MADE_ANOTHER_WAY
        return OTHER_ROWS if self.rows else UNEXPLAINED

    def of_rows(self) -> str:
        """What it explains of rows that only one table has, in words."""
        if not self.is_known:
            return UNKNOWN
        return "explained: the code chooses the rows in another way" if self.rows else UNEXPLAINED


def since_file(node: dict, file: Path, target: Path) -> Explanation:
    """What is explained by the column lineage that a build left, and that of the last build.

    Args:
        node: dbt's node of the model.
        file: A column_lineage.json of before, with or without dbt's manifest.json beside it.
        target: The folder of dbt's artifacts.

    Raises:
        CannotCompare: If one of the two cannot be read.
    """
    states = []
    for each in (file, target / FILE_NAME):
        try:
            models = read(each).models
        except FileNotFoundError:
            raise CannotCompare(f"there is no {each}: `dbt build` writes it") from None
        except (Unreadable, OSError) as error:
            raise CannotCompare(f"{each} is no column lineage: {error}") from None
        states.append(State(_manifest(each.parent), models))
    before, after = states
    columns, rows, _ = changed(before, after)
    columns, rows, whole = spread(columns, rows, states)
    key = node["unique_id"]
    touched = frozenset(name.lower() for model, name in columns if model == key)
    is_known = key in after.models and key not in whole
    return Explanation(f"the lineage of {file}", touched, key in rows, is_known)


def _manifest(folder: Path) -> Manifest:
    """The manifest of a folder of artifacts; an empty one if there is none."""
    try:
        return Manifest.read(folder)
    except (OSError, ValueError):
        return Manifest({"nodes": {}, "sources": {}, "exposures": {}, "macros": {}})


def since_commit(
    node: dict, nodes: dict[str, dict], base: str, where: Iterable[str]
) -> Explanation:
    """What is explained by the change since a commit, as the check of a pull request sees it.

    The check builds both states without rows, in a catalog of its own. A process has one catalog,
    so it runs in another one.

    Args:
        node: dbt's node of the model.
        nodes: All of dbt's nodes.
        base: The commit or branch.
        where: Options of check-pr that say where the project is.

    Raises:
        CannotCompare: If the check cannot be made.
    """
    name = short_name(node["unique_id"])
    if node["unique_id"] not in gold(State(Manifest({"nodes": nodes, "sources": {}}), {})):
        raise CannotCompare(f"--base tells of models of Gold, and {name} is none: --lineage-before")
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
            said = (done.stderr.strip().splitlines() or ["the check ended without a word"])[-1]
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
