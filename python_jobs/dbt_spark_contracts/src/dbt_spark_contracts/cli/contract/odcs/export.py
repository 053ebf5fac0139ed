"""Exports contracts as one document of the Open Data Contract Standard, version 3.1."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import yaml

from dbt_spark_contracts.cli.contract.odcs.types import logical
from dbt_spark_contracts.contract.constraints import keys, not_null
from dbt_spark_contracts.lineage.places import SILVER_ONLY
from dbt_spark_contracts.lineage.project import MARKS, PII, marked, meta_of_marks

API_VERSION = "v3.1.0"
KIND = "DataContract"
ENGINE = "dbt-spark-contracts"

# The classification of a column by its marks: personal data, and data that must stay in its layer.
RESTRICTED, INTERNAL = "restricted", "internal"

_UNITS = {"minute": "min", "hour": "h", "day": "d"}
_KEYS = ("primary_key", "unique")


def document(
    models: Mapping[str, dict], nodes: Mapping[str, dict], groups: Mapping[str, Any], project: dict
) -> dict[str, Any]:
    """Return the document.

    Args:
        models: The models, by unique id.
        nodes: dbt's nodes and sources.
        groups: dbt's groups, by name.
        project: The content of dbt_project.yml.
    """
    names = [node["name"] for node in models.values()]
    whole = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "id": ".".join([project["name"], *(names if len(names) == 1 else ())]),
        "name": names[0] if len(names) == 1 else project["name"],
        "version": str(project.get("version") or "1.0.0"),
        "status": "active",
        "team": _team(models, groups),
        "schema": [_schema_object(node, groups) for node in models.values()],
        "slaProperties": [each for key in models for each in _service_levels(key, nodes)],
    }
    return {key: value for key, value in whole.items() if value}


class _Dumper(yaml.SafeDumper):
    """Writes a text of several lines as one line, and no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text_of_lines(dumper: yaml.SafeDumper, text: str) -> yaml.nodes.Node:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text_of_lines)


def text(made: dict[str, Any]) -> str:
    """Return the document as YAML."""
    return yaml.dump(made, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def not_carried(models: Collection[dict], nodes: Mapping[str, dict]) -> list[str]:
    """Return what does not fit into the standard, in words."""
    told = []
    wanted = {node["unique_id"] for node in models}
    tests = [each for each in nodes.values() if each["resource_type"] == "test"]
    if count := len({e["unique_id"] for e in tests if e.get("attached_node") in wanted}):
        told.append(f"{count} data tests")
    if any((node["config"].get("meta") or {}) for node in models):
        told.append("meta of models")
    if any(_other_meta(column) for node in models for column in node["columns"].values()):
        told.append("meta of columns, other than marks")
    if any(_silent(each) for node in models for each in [node, *node["columns"].values()]):
        told.append("warn_unenforced and warn_unsupported of constraints")
    return told


def _silent(described: dict) -> bool:
    warns = ("warn_unenforced", "warn_unsupported")
    return any(each.get(key) is False for each in described["constraints"] for key in warns)


def _other_meta(column: dict) -> set[str]:
    return {*column["meta"]} - {*MARKS, SILVER_ONLY}


def owner(node: dict, groups: Mapping[str, Any]) -> dict[str, str]:
    """Return a model's owner, from its group or from `owner` in its meta. Empty without one."""
    group = groups.get(node.get("group") or "")
    if group is not None:
        name, mail = group["owner"].get("name"), group["owner"].get("email")
        mail = mail if isinstance(mail, str) else next(iter(mail or ()), None)
        return {key: each for key, each in (("name", name), ("username", mail or name)) if each}
    told = (node["config"].get("meta") or {}).get("owner")
    return {"username": told} if isinstance(told, str) and told else {}


def _team(models: Mapping[str, dict], groups: Mapping[str, Any]) -> dict[str, Any]:
    owned: dict[tuple, list[str]] = {}
    for node in models.values():
        if found := owner(node, groups):
            owned.setdefault(tuple(sorted(found.items())), []).append(node["name"])
    members = [
        {**dict(found), "role": "owner", "description": f"Owns {', '.join(names)}."}
        for found, names in owned.items()
    ]
    return {"members": members} if members else {}


def _schema_object(node: dict, groups: Mapping[str, Any]) -> dict[str, Any]:
    promised = keys(node)
    primary = _primary(node)
    quality = [
        *(_custom(each) for each in node["constraints"] if _kind(each) not in (*_KEYS, "not_null")),
        # There is no other place for a key of several columns that is not the primary key.
        *(
            _custom({"type": "unique", "columns": [*key]})
            for key in promised
            if len(key) > 1 and key != primary
        ),
    ]
    key = primary or next(iter(promised), ())
    owned = owner(node, groups)
    custom = {"owner": owned.get("username"), "access": _text(node.get("access"))}
    made = {
        "name": node["name"],
        "physicalName": (node["relation_name"] or "").replace("`", ""),
        "physicalType": "view" if node["config"]["materialized"] == "view" else "table",
        "logicalType": "object",
        "description": node["description"].strip(),
        "dataGranularityDescription": f"One row per ({', '.join(key)})." if key else "",
        "tags": list(node["config"].get("tags") or ()),
        "customProperties": _properties(custom),
        "quality": quality,
        "properties": [_property(each, node, primary) for each in node["columns"].values()],
    }
    return {key: value for key, value in made.items() if value}


def _property(column: dict, node: dict, primary: tuple[str, ...]) -> dict[str, Any]:
    name = column["name"]
    marks = marked(column)
    unique = any(key == (name,) and key != primary for key in keys(node))
    others = [e for e in column["constraints"] if _kind(e) not in (*_KEYS, "not_null")]
    made = {
        "name": name,
        **logical(str(column["data_type"] or "")),
        "description": (column["description"] or "").strip(),
        "required": name in not_null(node),
        "unique": unique,
        "primaryKey": name in primary,
        "primaryKeyPosition": primary.index(name) + 1 if name in primary else 0,
        "classification": (RESTRICTED if PII in marks else INTERNAL) if marks else "",
        "tags": list(column.get("tags") or ()),
        "customProperties": _properties(meta_of_marks(column)),
        "quality": [_custom(each) for each in others],
    }
    return {key: value for key, value in made.items() if value}


def _primary(node: dict) -> tuple[str, ...]:
    for name, column in node["columns"].items():
        if any(_kind(each) == "primary_key" for each in column["constraints"]):
            return (name,)
    found = (each for each in node["constraints"] if _kind(each) == "primary_key")
    return tuple(next((each["columns"] for each in found), ()))


def _custom(constraint: dict) -> dict[str, Any]:
    """Return a constraint that the standard does not have, as a quality rule of this engine."""
    told = {key: value for key, value in constraint.items() if value not in (None, [], "")}
    told = {key: value for key, value in told.items() if not key.startswith("warn_")}
    told["type"] = _kind(constraint)
    rule = {"type": "custom", "engine": ENGINE, "implementation": {"constraint": told}}
    return {**({"name": told["name"]} if "name" in told else {}), **rule}


def _kind(constraint: dict) -> str:
    return _text(constraint["type"])


def _text(value: Any) -> str:
    return str(getattr(value, "value", value) or "")


def _properties(named: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"property": key, "value": value} for key, value in named.items() if value]


def _service_levels(key: str, nodes: Mapping[str, dict]) -> Iterable[dict[str, Any]]:
    """Return how late a model's data may be, from the freshness of the sources behind it."""
    seen, left = set(), [key]
    while left:
        node = nodes.get(one := left.pop())
        if node is None or one in seen:
            continue
        seen.add(one)
        left += (node.get("depends_on") or {}).get("nodes") or ()
    for one in sorted(seen):
        node = nodes[one]
        freshness = (node.get("freshness") or {}) if node["resource_type"] == "source" else {}
        for limit in ("error_after", "warn_after"):
            after = freshness.get(limit) or {}
            if after.get("count") and after.get("period"):
                yield {
                    "property": "latency",
                    "value": after["count"],
                    "unit": _UNITS[_text(after["period"])],
                    "element": nodes[key]["name"],
                    "driver": "operational",
                    "description": f"{limit} of the source {node['source_name']}.{node['name']}.",
                }
                break
