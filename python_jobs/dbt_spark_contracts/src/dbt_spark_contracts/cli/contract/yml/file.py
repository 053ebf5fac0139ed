"""Changes contracts in a yml file in place: comments, order and layout stay."""

from collections.abc import Iterable
from typing import Any

import yaml

from dbt_spark_contracts.cli.contract.cannot import Cannot
from dbt_spark_contracts.cli.contract.yml.change import (
    ColumnChange,
    ModelChange,
    lines_of,
    lines_of_model,
)
from dbt_spark_contracts.cli.contract.yml.edits import Edits, data_type, scalar
from dbt_spark_contracts.cli.contract.yml.tree import (
    AliasNode,
    compose,
    items,
    read,
    target,
    value_of,
)

DASH = 2  # the indentation of a new list of models


def changed(name: str, text: str, changes: Iterable[ModelChange]) -> str:
    """Return the text of a yml file with exactly these changes.

    Args:
        name: The file's name, for messages.
        text: Its text. Empty for a new file.
        changes: The changes.

    Raises:
        Cannot: If it is not valid YAML, or written so that a change would affect other parts.
    """
    wanted = [*changes]
    ending = "\r\n" if "\r\n" in text else "\n"
    text = text.replace("\r\n", "\n") or "version: 2\n"
    try:
        before = _unshared(yaml.safe_load(text)) or {}
        tree = compose(text)
        new = _edited(name, text, tree, wanted)
        after = yaml.safe_load(new)
    except yaml.YAMLError as error:
        raise Cannot(
            f"{name} is not valid YAML ({' '.join(str(error).split())}): correct it"
        ) from None
    for change in wanted:
        _apply(before, change)
    if _by_name(before) != _by_name(after):
        raise Cannot(
            f"{name}: {', '.join(each.name for each in wanted)} cannot be changed in place without "
            "changing what shares its lines through an anchor (&name): expand the anchor, or edit "
            "by hand"
        )
    return new.replace("\n", ending)


def _edited(name: str, text: str, tree: Any, wanted: list[ModelChange]) -> str:
    edits = Edits(text)
    models: Any = value_of(tree, "models")
    if models is not None and not isinstance(models, yaml.SequenceNode):
        raise Cannot(f"{name}: its `models` is not a list: correct it")
    dash = models.start_mark.column if models is not None and models.value else DASH
    new = []
    for change in wanted:
        entry = next((each for each in items(models) if _name(each) == change.name), None)
        if entry is None:
            new.append(change)
        elif not isinstance(entry, yaml.MappingNode) or entry.flow_style:
            raise Cannot(f"{name}: the model {change.name} is on one line: put it on several lines")
        else:
            _change_model(name, edits, entry, change, dash)
    lines = [line for each in new for line in ["", *lines_of_model(each, dash)]]
    if lines and items(models):
        edits.add_lines(models, lines)
        return edits.made()
    if lines and models is not None:
        raise Cannot(f"{name}: its list of models is empty: remove `models: []`")
    made = edits.made()
    return f"{made.rstrip()}\n\nmodels:\n" + "\n".join(lines) + "\n" if lines else made


def _change_model(name: str, edits: Edits, entry: Any, change: ModelChange, dash: int) -> None:
    if change.description is not None:
        _set(edits, entry, "description", scalar(change.description, quote=True))
    config = value_of(entry, "config")
    if change.config and config is None:
        edits.add_key(entry, "config", scalar(change.config), _named(entry))
    elif config is not None:
        for key, value in change.config.items():
            edits.add_key(config, key, scalar(value))
    _add_constraints(edits, entry, change.constraints, _named(entry))
    columns = value_of(entry, "columns")
    known = {_name(each).lower(): each for each in items(columns)}
    last: Any = None
    new: list[tuple[Any, ColumnChange]] = []
    for column in change.columns:
        item = known.get(column.name.lower())
        if item is None:
            new.append((last, column))
            continue
        last = item
        if column:
            if isinstance(item, AliasNode):
                raise Cannot(
                    f"{name}: the column {column.name} of {change.name} is an alias (*name): write "
                    "it out, and run this again"
                )
            _change_column(edits, item, column)
    for gone in change.remove:
        edits.remove_item(columns, known[gone.lower()])
    if not new:
        return
    if not items(columns):
        lines = [line for _, each in new for line in lines_of(each, entry.start_mark.column + dash)]
        if columns is not None:
            raise Cannot(f"{name}: the columns of {change.name} are an empty list: remove it")
        edits.add_key(entry, "columns", "\n" + "\n".join(lines))
    elif columns.flow_style:
        raise Cannot(
            f"{name}: the columns of {change.name} are on one line: put them on several lines"
        )
    else:
        for after, column in new:
            edits.add_lines(after or columns, lines_of(column, columns.start_mark.column))


def _change_column(edits: Edits, item: Any, column: ColumnChange) -> None:
    after = _named(item)
    if column.data_type is not None:
        text = scalar(column.data_type) if item.flow_style else data_type(column.data_type)
        _set(edits, item, "data_type", text, after)
    if column.description is not None:
        _set(edits, item, "description", scalar(column.description, quote=True), after)
    _add_constraints(edits, item, column.constraints, None)
    if column.meta:
        config = value_of(item, "config")
        meta = value_of(item, "meta") or value_of(config, "meta")
        if meta is not None:
            for key, value in column.meta.items():
                _set(edits, meta, key, scalar(value))
        elif config is not None:
            edits.add_key(config, "meta", scalar(column.meta))
        else:
            edits.add_key(item, "config", scalar({"meta": column.meta}))


def _set(edits: Edits, mapping: Any, key: str, value: str, after: Any = None) -> None:
    own = value_of(mapping, key)
    if own is None:
        edits.add_key(mapping, key, value, after)
    else:
        edits.replace(own, value)


def _add_constraints(edits: Edits, entry: Any, constraints: list[dict], after: Any) -> None:
    if not constraints:
        return
    own = value_of(entry, "constraints")
    if isinstance(own, yaml.SequenceNode) and own.value:
        for each in constraints:
            edits.add_item(own, scalar(each))
    else:
        merged = read(entry, "constraints")
        there = [] if merged is None else _plain(merged)
        edits.add_key(entry, "constraints", scalar([*there, *constraints]), after)


def _plain(node: Any) -> Any:
    return yaml.safe_load(yaml.serialize(node))


def _named(mapping: Any) -> Any:
    """Return where a mapping has its own name. New keys go below it."""
    return value_of(mapping, "name")


def _name(entry: Any) -> str:
    found = read(entry, "name")
    return str(found.value) if found is not None and target(found) is not None else ""


# The same changes on the parsed data, to verify the new text.


def _unshared(data: Any) -> Any:
    """Return a copy in which each alias is replaced by a copy of its anchor."""
    if isinstance(data, dict):
        return {key: _unshared(value) for key, value in data.items()}
    return [_unshared(value) for value in data] if isinstance(data, list) else data


def _apply(data: dict, change: ModelChange) -> None:
    entry = _entry(data, "models", change.name)
    if change.description is not None:
        entry["description"] = change.description
    if change.config:
        entry.setdefault("config", {}).update(change.config)
    if change.constraints:
        entry["constraints"] = [*(entry.get("constraints") or []), *change.constraints]
    for column in change.columns:
        own = _entry(entry, "columns", column.name)
        if column.data_type is not None:
            own["data_type"] = column.data_type
        if column.description is not None and (column.description or "description" in own):
            own["description"] = column.description
        if column.constraints:
            own["constraints"] = [*(own.get("constraints") or []), *column.constraints]
        if column.meta:
            holder = own if "meta" in own else own.setdefault("config", {})
            holder.setdefault("meta", {}).update(column.meta)
    gone = {each.lower() for each in change.remove}
    if gone:
        entry["columns"] = [e for e in entry["columns"] if e["name"].lower() not in gone] or None


def _entry(of: dict, key: str, name: str) -> dict:
    listed = of.get(key) or []
    of[key] = listed
    found = next((each for each in listed if str(each["name"]).lower() == name.lower()), None)
    if found is None:
        found = {"name": name}
        listed.append(found)
    return found


def _by_name(data: Any) -> Any:
    """Return the data with lists of named items as dicts, so that their order does not matter."""
    if isinstance(data, dict):
        return {key: _by_name(value) for key, value in data.items() if value != []}
    if isinstance(data, list):
        named = all(isinstance(each, dict) and "name" in each for each in data) and data
        each = [_by_name(value) for value in data]
        return {value["name"]: value for value in each} if named else each
    return data
