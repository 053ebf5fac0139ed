"""Imports contracts from a document of the Open Data Contract Standard, version 3."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from dbt_spark_contracts.cli.contract.cannot import Cannot
from dbt_spark_contracts.cli.contract.odcs.export import ENGINE, KIND
from dbt_spark_contracts.cli.contract.select import config_to_enforce, models
from dbt_spark_contracts.cli.contract.yml.change import NOT_NULL, ColumnChange, ModelChange
from dbt_spark_contracts.cli.contract.yml.place import file_of
from dbt_spark_contracts.cli.contract.yml.texts import NewTexts
from dbt_spark_contracts.cli.opened import Opened
from dbt_spark_contracts.contract import constraints
from dbt_spark_contracts.lineage.places import SILVER_ONLY, STAYS_IN
from dbt_spark_contracts.lineage.project import MARKS, marked, marks_of

# Parts of a document that do not fit into a yml of dbt models.
_ELSEWHERE = {
    "team": "dbt's groups have the owners",
    "slaProperties": "dbt's sources have the freshness",
}


def read(file: Path) -> dict[str, Any]:
    """Return the document in a file.

    Raises:
        Cannot: If the file does not exist, or is not a contract of version 3.
    """
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Cannot(f"{file} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict) or found.get("kind") != KIND:
        raise Cannot(f"{file} is not an ODCS contract: it has no `kind: {KIND}`")
    if not str(found.get("apiVersion", "")).startswith("v3."):
        raise Cannot(
            f"{file} has ODCS version {found.get('apiVersion')}: only version 3 is supported"
        )
    if not isinstance(found.get("schema"), list) or not found["schema"]:
        raise Cannot(f"{file} has no schema, so there is nothing to import")
    return found


def taken_over(project: Opened, document: dict[str, Any]) -> NewTexts:
    """Return the ymls with the content of the document.

    Other content of the ymls stays, and is reported.

    Raises:
        Cannot: If a model does not exist, or a column has no physical type.
    """
    objects = {str(each.get("name")): each for each in document["schema"]}
    texts = NewTexts(project.place.folder)
    for node in models(project, objects).values():
        change = _of_model(node, objects[node["name"]], texts)
        texts.add(file_of(project.place.folder, node), change)
    return texts


def elsewhere(document: dict[str, Any]) -> list[str]:
    """Return which parts of a document are not imported, in words."""
    return [f"{key} is not imported: {why}" for key, why in _ELSEWHERE.items() if key in document]


def _of_model(node: dict, described: dict, texts: NewTexts) -> ModelChange:
    change = ModelChange(node["name"], config=config_to_enforce(node))
    text = described.get("description")
    if text and text.strip() != node["description"].strip():
        change.description = text
    properties = described.get("properties") or []
    known = {name.lower(): column for name, column in node["columns"].items()}
    for each in properties:
        own = known.pop(str(each["name"]).lower(), None)
        change.columns.append(_of_column(node, own, each, texts))
    texts.contradicted += [
        f"{node['name']}.{column['name']} stays in the yml, but the document has no such property"
        for column in known.values()
    ]
    change.constraints = _missing_keys(node, described, texts)
    written = [_plain(each) for each in node["constraints"]]
    rules = [each for each in _rules(described) if each["type"] != "unique"]
    change.constraints += [each for each in rules if each not in written]
    return change


def _of_column(node: dict, own: dict | None, described: dict, texts: NewTexts) -> ColumnChange:
    name = f"{node['name']}.{described['name']}"
    data_type = described.get("physicalType")
    if not data_type:
        raise Cannot(f"{name} has no physicalType, so its type is unknown: add it")
    change = ColumnChange(own["name"] if own else str(described["name"]))
    if not own or str(own["data_type"] or "") != data_type:
        change.data_type = data_type
    text = (described.get("description") or "").strip()
    if text and (not own or text != (own["description"] or "").strip()):
        change.description = text
    promised = {each.lower() for each in constraints.not_null(node)}
    is_promised = own is not None and own["name"].lower() in promised
    if described.get("required") and not is_promised:
        change.constraints.append(NOT_NULL)
    if is_promised and not described.get("required"):
        texts.contradicted.append(f"{name}: not_null stays, but the document does not require it")
    written = [_plain(each) for each in own["constraints"]] if own else []
    change.constraints += [each for each in _rules(described) if each not in written]
    meta = {
        str(each.get("property")): each["value"]
        for each in described.get("customProperties") or ()
        if each.get("property") in (*MARKS, SILVER_ONLY) and each.get("value")
    }
    marks = marked({"meta": meta})
    there = marks_of(node, change.name)
    lacking = {*(marks - there), *({SILVER_ONLY} if STAYS_IN in marks - there else ())}
    change.meta = {name: value for name, value in sorted(meta.items()) if name in lacking}
    texts.contradicted += [
        f"{name}: the mark {mark} stays, but the document does not have it"
        for mark in sorted(there - marks)
    ]
    if described.get("classification") and not marks:
        texts.told.append(
            f"{name}: the classification {described['classification']} is not imported: put its "
            f"marks, {' or '.join(MARKS)}, in customProperties"
        )
    return change


def _missing_keys(node: dict, described: dict, texts: NewTexts) -> list[dict]:
    """Return the keys of the document that the yml does not have."""
    properties = described.get("properties") or []
    primary = sorted(
        (each for each in properties if each.get("primaryKey")),
        key=lambda each: each.get("primaryKeyPosition", 0),
    )
    wanted = {tuple(str(each["name"]) for each in primary): "primary_key"} if primary else {}
    wanted |= {(str(each["name"]),): "unique" for each in properties if each.get("unique")}
    wanted |= {tuple(e["columns"]): "unique" for e in _rules(described) if e["type"] == "unique"}
    known = constraints.keys(node)
    texts.contradicted += [
        f"{node['name']}: the key ({', '.join(key)}) stays, but the document does not have it"
        for key in known
        if key not in wanted
    ]
    return [{"type": kind, "columns": [*key]} for key, kind in wanted.items() if key not in known]


def _rules(described: dict) -> Iterator[dict]:
    """Return the constraints that were exported as quality rules of this engine."""
    for each in described.get("quality") or ():
        implementation = each.get("implementation")
        if each.get("engine") == ENGINE and isinstance(implementation, dict):
            yield implementation["constraint"]


def _plain(constraint: dict) -> dict:
    """Return a constraint of dbt's node, in the yml's form."""
    told = {key: value for key, value in constraint.items() if value not in (None, [], "")}
    told = {key: value for key, value in told.items() if not key.startswith("warn_")}
    return {**told, "type": str(getattr(told["type"], "value", told["type"]))}
