"""Seeds with different rows, with a short summary of the differences."""

import csv
import sys
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path

from dbt_spark_contracts.cli.check_pull_request.changes.change import Change, Reach
from dbt_spark_contracts.cli.check_pull_request.changes.code import told
from dbt_spark_contracts.cli.check_pull_request.manifest import Manifest, file_of
from dbt_spark_contracts.lineage.artifact import short_name

SHOWN = 5
# Above this number, rows are counted but not compared one by one.
COMPARED = 20_000

Rows = list[list[str]]


def changed(root: Path, tree: Path, before: Manifest, after: Manifest) -> Iterator[Change]:
    """Yield each seed with a different file."""
    for key, node in sorted(after.nodes.items()):
        if node["resource_type"] != "seed" or key not in before.nodes:
            continue
        old_node = before.nodes[key]
        # For a large file, dbt's checksum is its path.
        is_whole = node["checksum"]["name"] == old_node["checksum"]["name"] == "sha256"
        if is_whole and node["checksum"] == old_node["checksum"]:
            continue
        if node["package_name"] != after.project:
            if is_whole:
                text = f"the seed {short_name(key)} of a package has other rows"
                yield Change("seed", text, "", {key: Reach.ALL})
            continue
        old, new = _rows(tree, old_node), _rows(root, node)
        if old == new:
            text = f"the file of the seed {short_name(key)} has changed, but its rows are the same"
            if (tree / file_of(old_node)).read_bytes() != (root / file_of(node)).read_bytes():
                yield Change("seed", text, file_of(node))
            continue
        columns, lines = differences(old, new)
        yield Change(
            "seed",
            f"the seed {short_name(key)} has other rows: {lines[0]}",
            file_of(node),
            {key: Reach.ALL},
            columns,
            lines[1:],
        )


def differences(old: Rows, new: Rows) -> tuple[list[str] | None, list[str]]:
    """Compare two tables, each with its header first.

    Returns:
        The columns that differ, if the rows are otherwise the same. And the differences in words:
        first how many, then the first few, one line each.
    """
    header, old_header = (rows[0] if rows else [] for rows in (new, old))
    if header != old_header:
        lost = [f"{name} is gone" for name in old_header if name not in header]
        won = [f"{name} is new" for name in header if name not in old_header]
        return None, ["columns: " + (", ".join([*lost, *won]) or "in a different order")]
    count = f"{len(new) - 1} rows, and {len(old) - 1} before"
    if max(len(old), len(new)) > COMPARED:
        return None, [count]
    lines, columns, is_same_rows = [], dict[str, None](), True
    matcher = SequenceMatcher(None, [*map(tuple, old)], [*map(tuple, new)], autojunk=False)
    for kind, start, end, new_start, new_end in matcher.get_opcodes():
        if kind == "equal":
            continue
        if [*map(len, old[start:end])] == [*map(len, new[new_start:new_end])]:
            for was, now in zip(old[start:end], new[new_start:new_end], strict=True):
                cells = [
                    (name, one, other)
                    for name, one, other in zip(header, was, now, strict=False)
                    if one != other
                ]
                columns |= dict.fromkeys(name for name, _, _ in cells)
                texts = [
                    f"{name} is {told(other)}, and was {told(one)}" for name, one, other in cells
                ]
                lines.append(f"{told(now[0]) if now else ''}: {', '.join(texts)}")
            continue
        is_same_rows = False
        lines += [f"gone: {', '.join(map(told, row))}" for row in old[start:end]]
        lines += [f"new: {', '.join(map(told, row))}" for row in new[new_start:new_end]]
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    first = f"{', '.join(columns)}" if is_same_rows else count
    return [*columns] if is_same_rows else None, [first, *lines[:SHOWN], *more]


def _rows(root: Path, node: dict) -> Rows:
    path = root / file_of(node)
    if not path.is_file():
        return []
    delimiter = node["config"].get("delimiter") or ","
    csv.field_size_limit(sys.maxsize)  # as in dbt
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        return [row for row in csv.reader(file, delimiter=delimiter) if row]
