"""Problems that the two manifests show: contracts, marks and tables that readers rely on."""

import re
from collections.abc import Iterator
from typing import Any

from dbt.contracts.graph.nodes import ModelNode
from dbt_common.events.event_manager_client import add_callback_to_manager
from dbt_common.exceptions import CompilationError

from dbt_spark_contracts.cli.check_pull_request.changes.code import relation
from dbt_spark_contracts.cli.check_pull_request.changes.safeguards import schemas_with_contracts
from dbt_spark_contracts.cli.check_pull_request.exposures import columns_read, reader, readers
from dbt_spark_contracts.cli.check_pull_request.locate import Locator
from dbt_spark_contracts.cli.check_pull_request.manifest import Manifest, file_of, parents
from dbt_spark_contracts.cli.check_pull_request.problem import Place, Problem
from dbt_spark_contracts.cli.check_pull_request.text import inline
from dbt_spark_contracts.contract.constraints import keys
from dbt_spark_contracts.lineage.artifact import short_name
from dbt_spark_contracts.lineage.places import SCHEMA, STAYS_IN, said, words
from dbt_spark_contracts.lineage.project import marked
from dbt_spark_contracts.lineage.record import Model
from dbt_spark_contracts.nodes import is_enforced

# dbt compares these types without their size in parentheses.
SIZED = re.compile(r"(?P<kind>decimal|numeric|dec|char|varchar)\b.*")

ON_PURPOSE = "On purpose? Keep it, with its table, as version 1: see docs/pull_requests.md"
MARK_ON_PURPOSE = (
    "A marked column stays where it is: see docs/contracts.md. On purpose? Let the owner of the "
    "data merge it."
)


def broken(
    locator: Locator, before: Manifest, after: Manifest, built: dict[str, Model]
) -> Iterator[Problem]:
    """Yield each promise of the base that the working tree breaks.

    Args:
        locator: Finds places in the project's files.
        before: The base's manifest.
        after: The working tree's manifest.
        built: The column lineage of the working tree's models by unique id. Empty without a build.

    Yields:
        The problems.
    """
    yield from _breaking_changes(locator, before, after)
    yield from _lost_keys(locator, before, after)
    yield from _moved(locator, before, after)
    yield from _lost_marks(locator, before, after)
    yield from _without_contract(locator, before, after)
    yield from _lost_by_exposures(locator, after, built)


def _breaking_changes(locator: Locator, before: Manifest, after: Manifest) -> Iterator[Problem]:
    """Yield each breaking change of a contract that dbt finds.

    For a versioned model, dbt raises an error at the first change, which hides all others. So each
    model is compared as if it had no versions.
    """
    adapter = after.raw["metadata"]["adapter_type"]
    found: list[Any] = []
    add_callback_to_manager(
        lambda event: (
            found.append(event.data) if event.info.name == "UnversionedBreakingChange" else None
        )
    )
    for key, old in sorted(before.nodes.items()):
        if old["resource_type"] != "model":
            continue
        found.clear()
        new = after.nodes.get(key) or _version_with_table_of(old, after)
        if new:
            _model(new).same_contract(_model(old), adapter)
        else:
            gone = (after.raw.get("disabled") or {}).get(key) or [old]
            _model(gone[0]).same_contract_removed()
        node = new or old
        told = [[*_in_words(data)] for data in found]
        told += [sizes] if (sizes := [*_other_sizes(old, node)]) else []
        for lines in told:
            places = [
                locator.in_yml(
                    node.get("patch_path"), node["name"], column, f"{node['name']}: {text}"
                )
                for column, text in lines
            ]
            details = [ON_PURPOSE, *_read_by(before, key)]
            title = f"{node['name']} breaks a promise to its readers"
            yield Problem("breaking-change", title, places, details)


def _model(node: dict) -> ModelNode:
    return ModelNode.from_dict({**node, "version": None, "latest_version": None})


def _version_with_table_of(old: dict, after: Manifest) -> dict | None:
    """Return the version that keeps the table of a model without versions. Its id differs."""
    if old.get("version"):
        return None
    versions = (node for node in after.nodes.values() if node.get("version"))
    return next((node for node in versions if relation(node) == relation(old)), None)


def _in_words(data: Any) -> Iterator[tuple[str, str]]:
    """Yield each breaking change in an event of dbt: the column, and dbt's description."""
    for column in data.columns_removed:
        yield column, f"Columns were removed: {column}"
    for each in data.column_type_changes:
        types = f"{each.previous_column_type} -> {each.current_column_type}"
        name = each.column_name
        yield name, f"Columns with data_type changes: {name} ({types})"
    for each in data.enforced_column_constraint_removed:
        what = f"{each.constraint_type} on column {each.column_name}"
        yield each.column_name, f"Enforced column level constraints were removed: {what}"
    for each in data.enforced_model_constraint_removed:
        what = f"{each.constraint_type} on columns {', '.join(each.columns)}"
        yield "", f"Enforced model level constraints were removed: {what}"
    if data.contract_enforced_disabled:
        yield "", "Contract enforcement was removed"
    if data.materialization_changed:
        kinds = " -> ".join(data.materialization_changed)
        yield "", f"Materialization changed with enforced constraints: {kinds}"
    told = (
        data.columns_removed
        or data.column_type_changes
        or data.enforced_column_constraint_removed
        or data.enforced_model_constraint_removed
        or data.contract_enforced_disabled
        or data.materialization_changed
    )
    if not told:  # the model is gone, which dbt only tells in words
        yield from (("", " ".join(text.split())) for text in data.breaking_changes)


def _other_sizes(old: dict, new: dict) -> Iterator[tuple[str, str]]:
    """Yield columns of a contract whose type changes only in size, which dbt ignores."""
    if not is_enforced(old["config"]) or not is_enforced(new["config"]):
        return
    for name, column in old["columns"].items():
        was, now = (
            "".join(str((each or {}).get("data_type") or "").lower().split())
            for each in (column, new["columns"].get(name))
        )
        kinds = [SIZED.fullmatch(text) for text in (was, now)]
        if was != now and all(kinds) and len({each["kind"] for each in kinds if each}) == 1:
            yield name, f"Columns with data_type changes: {name} ({was} -> {now})"


def _lost_keys(locator: Locator, before: Manifest, after: Manifest) -> Iterator[Problem]:
    """Yield each key that a contract no longer promises. dbt only checks enforced constraints."""
    for key, old in sorted(before.nodes.items()):
        new = after.nodes.get(key)
        if new is None or not is_enforced(old["config"]) or not is_enforced(new["config"]):
            continue  # dbt reports a removed contract
        kept = _keys(new)
        places = []
        for columns in sorted(_keys(old), key=sorted):
            if not any(other <= columns for other in kept):
                told = ", ".join(sorted(columns))
                text = f"{new['name']}: the key ({told}) is no longer promised"
                places.append(locator.in_yml(new.get("patch_path"), new["name"], "", text))
        if places:
            title = f"{new['name']} breaks a promise to its readers"
            yield Problem("breaking-change", title, places, [ON_PURPOSE, *_read_by(after, key)])


def _read_by(state: Manifest, key: str) -> list[str]:
    """Return a line with the exposures that read a node, or nothing."""
    exposures = ", ".join(inline(reader(each)) for each in readers(state, [key]))
    return [f"Read by: {exposures}."] if exposures else []


def _keys(node: dict) -> set[frozenset[str]]:
    """Return the keys that a contract promises. Empty if they are invalid, which dbt reports."""
    try:
        return {frozenset(name.lower() for name in columns) for columns in keys(node)}
    except CompilationError:
        return set()


def _moved(locator: Locator, before: Manifest, after: Manifest) -> Iterator[Problem]:
    """Yield each model with a contract whose readers no longer find its table."""
    for key, old in sorted(before.nodes.items()):
        new = after.nodes.get(key)
        if new is None or old["resource_type"] != "model" or not is_enforced(old["config"]):
            continue
        if relation(old) and relation(new) != relation(old):
            where = (
                f"to {relation(new)}" if relation(new) else "away, because it no longer has a table"
            )
            text = f"{new['name']} moves from {relation(old)} {where}"
            place = locator.in_yml(new.get("patch_path"), new["name"], "", text)
            details = [ON_PURPOSE, *_read_by(after, key)]
            yield Problem("moved", f"{new['name']} moves away from its readers", [place], details)


def _lost_marks(locator: Locator, before: Manifest, after: Manifest) -> Iterator[Problem]:
    """Yield each marked column of the base that lost the mark, or whose mark names more places.

    The marks keep it from readers (docs/contracts.md), so removing one breaks a promise, too.
    """
    for key, node in after.nodes.items():
        columns = {each["name"].lower(): each for each in node.get("columns", {}).values()}
        # dbt reports a column that is removed from a contract.
        is_promised = is_enforced(node["config"])
        places = []
        for column in before.nodes.get(key, {}).get("columns", {}).values():
            name = column["name"]
            kept = columns.get(name.lower(), column if is_promised else {"meta": {}})
            lost = sorted(marked(column) - marked(kept))
            names = [said(column) if mark == STAYS_IN else mark for mark in lost]
            texts = [f"is no longer marked {mark}" for mark in names]
            if STAYS_IN in marked(column) - {*lost} and (wider := _wider(column, kept)):
                texts.append(wider)
            for told in texts:
                text = f"{node['name']}.{name} {told}"
                places.append(locator.in_yml(node.get("patch_path"), node["name"], name, text))
        if places:
            title = f"{node['name']} loses a mark"
            yield Problem("lost-mark", title, places, [MARK_ON_PURPOSE])


def _wider(before: dict, after: dict) -> str:
    """Return where a column's mark newly allows it. Empty if nowhere."""
    was, now = ({*(words(column) or [SCHEMA])} for column in (before, after))
    if more := sorted(now - was):
        return f"may be in {', '.join(more)} now, and before only in {', '.join(sorted(was))}"
    return ""


def _without_contract(locator: Locator, before: Manifest, after: Manifest) -> Iterator[Problem]:
    """Yield each model without a contract that enters a schema where contracts are required."""
    compulsory = schemas_with_contracts(locator.project.root, after.project)
    for key, node in sorted(after.nodes.items()):
        schemas = {node["config"].get("schema"), node["schema"]} & compulsory
        if node["resource_type"] != "model" or not schemas or is_enforced(node["config"]):
            continue
        old = before.nodes.get(key)
        was_there = old and old["schema"] == node["schema"] and not is_enforced(old["config"])
        if was_there or (old and is_enforced(old["config"])):  # dbt reports what a contract loses
            continue
        text = f"{node['name']} has no contract, which is required in {', '.join(schemas)}"
        place = Place(locator.file(file_of(node)), 1, text)
        way_out = "Describe its columns in its yml, with `contract: {enforced: true}`."
        yield Problem("no-contract", f"{node['name']} has no contract", [place], [way_out])


def _lost_by_exposures(
    locator: Locator, after: Manifest, built: dict[str, Model]
) -> Iterator[Problem]:
    """Yield each exposure that declares a column which its model does not have."""
    for exposure in sorted(after.exposures.values(), key=lambda each: each["name"]):
        places = []
        for key in sorted(parents(exposure) & after.nodes.keys()):
            node = after.nodes[key]
            there = built.get(key, Model()).columns or node.get("columns") or {}
            if not built.get(key) and not is_enforced(node["config"]):
                continue  # its yml need not list all of its columns
            missing = {*columns_read(exposure, key)} - {name.lower() for name in there}
            for name in sorted(missing):
                text = f"{exposure['name']} reads {short_name(key)}.{name}, which does not exist"
                file = exposure["original_file_path"]
                places.append(locator.in_file(file, rf"name: {exposure['name']}\b", text))
        if places:
            owner = reader(exposure)
            yield Problem("exposure", f"The exposure {owner} loses a column", places)
