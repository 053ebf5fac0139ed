"""Made-up column lineage with a matching manifest."""

import json
from pathlib import Path

PROJECT = "small"
EVIL = "</script><img src=x onerror=\"document.title='harmed'\"><!--<script>"


def write(folder: Path, recorded: dict, manifest: dict) -> Path:
    """Write both files to a target folder, as dbt would. Return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {"column_lineage": recorded, "manifest": manifest}.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def of_dbt(key: str, columns: dict[str, dict], **more) -> dict:
    """Return a node of the manifest.

    Args:
        key: The node's unique id.
        columns: The properties of each column, by name.
        more: Further properties of the node.
    """
    kind, _, *names = key.split(".")
    schema = more.pop("schema", None)
    return {
        "unique_id": key,
        "resource_type": kind,
        "name": names[-1],
        "version": None,
        "fqn": [PROJECT, *names],
        "relation_name": f"{schema or names[0]}.{names[-1]}",
        "description": "",
        "checksum": {"name": "sha256", "checksum": "1"},
        "config": {"schema": schema, "materialized": "table"},
        "columns": {name: {"name": name, **told} for name, told in columns.items()},
        **({"source_name": names[0]} if kind == "source" else {}),
        **more,
    }


def manifest(nodes: list[dict], exposures: dict[str, list[str]] | None = None) -> dict:
    """Return a manifest of these nodes. `exposures` lists the nodes that each one reads."""
    return {
        "metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json"},
        "nodes": {each["unique_id"]: each for each in nodes if each["resource_type"] != "source"},
        "sources": {each["unique_id"]: each for each in nodes if each["resource_type"] == "source"},
        "exposures": {
            f"exposure.{PROJECT}.{name}": {
                "unique_id": f"exposure.{PROJECT}.{name}",
                "name": name,
                "type": "dashboard",
                "description": f"The {name}.",
                "depends_on": {"nodes": reads},
            }
            for name, reads in (exposures or {}).items()
        },
    }


def recorded(nodes: dict[str, dict]) -> dict:
    """Return a column_lineage.json of these nodes."""
    return {
        "metadata": {
            "schema_version": 1,
            "generated_at": "2026-11-24T04:30:00Z",
            "invocation_id": "d354ce6d-f774-45c7-88a0-762e2c656469",
            "project_name": PROJECT,
        },
        "nodes": nodes,
    }


def record(relation: str, columns: dict[str, dict], rows: dict | None = None) -> dict:
    """Return the record of a model."""
    return {
        "relation_name": relation,
        "checksum": "1",
        "columns": columns,
        "rows": rows or {"origins": [], "untraced": [], "fingerprint": "f"},
    }


def derived(data_type: str, *origins: str, untraced: tuple[str, ...] = ()) -> dict:
    """Return the record of a column. An origin is "kind node column" or "… column field"."""
    return {
        "data_type": data_type,
        "origins": [origin(each) for each in origins],
        "untraced": list(untraced),
        "fingerprint": "f",
    }


def rows(*origins: str, untraced: tuple[str, ...] = ()) -> dict:
    """Return the record of a model's rows."""
    return {
        "origins": [origin(each) for each in origins],
        "untraced": list(untraced),
        "fingerprint": "f",
    }


def origin(text: str) -> dict:
    """Parse an origin: "kind node column" or "kind node column field"."""
    return dict(zip(("kind", "node", "column", "field"), text.split(), strict=False))


LANDING = f"source.{PROJECT}.landing.events"
RULES = f"seed.{PROJECT}.rules"
BRONZE = f"model.{PROJECT}.bronze_events"
SILVER = f"model.{PROJECT}.silver_events"
GOLD = f"model.{PROJECT}.gold_state"
ALERTS = f"model.{PROJECT}.gold_alerts"


def small() -> tuple[dict, dict]:
    """Return a record and a manifest with one of each kind."""
    personal = {"config": {"meta": {"silver_only": True, "pii": True}}}
    nodes = [
        of_dbt(LANDING, {"value": {"description": "A line."}}),
        of_dbt(RULES, {"level": {}, "limit": {}, "unused": {}}, schema="silver"),
        of_dbt(BRONZE, {"raw": {}, "file": {}}, schema="bronze"),
        of_dbt(
            SILVER,
            {
                "event_id": {"meta": {"silver_only": True}},
                "customer": personal,
                "valid_until": {"description": "Last day."},
                "speed": {"description": EVIL, "meta": {"stays_in": ["schema", "tag:fleet"]}},
                "at": {},
                "place": {},
            },
            schema="silver",
        ),
        of_dbt(
            GOLD,
            {"car": {}, "status": {"description": "ACTIVE or EXPIRED."}, "top": {}, "name": {}},
            schema="gold",
            description="Where each car is.",
        ),
        of_dbt(ALERTS, {"id": {}, "value": {}}, schema="gold"),
        of_dbt(f"model.{PROJECT}.never_built", {"x": {}}, schema="gold"),
    ]
    silver = {
        "event_id": derived("string", f"computed {BRONZE} raw", f"copy {SILVER} event_id"),
        "customer": derived("string", f"computed {BRONZE} raw"),
        "valid_until": derived("date", f"computed {BRONZE} raw"),
        "speed": derived("double", f"computed {BRONZE} raw", "condition old.limits top"),
        "at": derived("timestamp", f"computed {BRONZE} raw"),
        "place": derived(
            "struct<lat:double,lon:double>",
            f"computed {BRONZE} raw lat",
            f"computed {BRONZE} raw lon",
        ),
    }
    gold = {
        "car": derived("string", f"computed {SILVER} customer"),
        "status": derived("string", f"condition {SILVER} valid_until", f"window {SILVER} at"),
        "top": derived("double", f"aggregated {SILVER} speed"),
        "name": derived(
            "string", f"copy {SILVER} customer", untraced=("the Python function normalize",)
        ),
        "written_at": derived("timestamp"),
    }
    alerts = {
        "id": derived("string", f"computed {SILVER} event_id"),
        "value": derived("double", f"copy {SILVER} speed", f"condition {SILVER} speed",
                         f"condition {RULES} limit"),
    }  # fmt: skip
    return recorded(
        {
            BRONZE: record(
                "lake.bronze.bronze_events",
                {
                    "raw": derived("string", f"copy {LANDING} value"),
                    "file": derived("string", untraced=("the Python function split",)),
                },
            ),
            SILVER: record(
                "lake.silver.silver_events",
                silver,
                rows(f"filter {BRONZE} raw", f"sort {SILVER} at"),
            ),
            GOLD: record(
                "lake.gold.gold_state",
                gold,
                rows(
                    f"filter {SILVER} at",
                    f"filter {SILVER} event_id",
                    f"group {SILVER} customer",
                    untraced=("the Python function only_new",),
                ),
            ),
            ALERTS: record(
                "lake.gold.gold_alerts", alerts, rows(f"join {RULES} level", f"join {SILVER} speed")
            ),
        }
    ), manifest(nodes, {"weekly": [GOLD], "board": [GOLD, ALERTS]})


def read_by_code(reads: tuple[str, ...] = (LANDING,), reason: str = "Python splits the files."):
    """Return the small project with a Bronze that reads these nodes in Python code.

    Bronze allows the untraced rows for that reason, unless the reason is empty.
    """
    record_, manifest_ = small()
    bronze = manifest_["nodes"][BRONZE]
    bronze["depends_on"] = {"nodes": list(reads)}
    bronze["config"]["meta"] = {"untraced_allowed": {"FILE": reason}} if reason else {}
    record_["nodes"][BRONZE]["rows"] = rows(untraced=("the Python function split",))
    return record_, manifest_


def evil(text: str) -> tuple[dict, dict]:
    """Return a record and a manifest of one model in which every text is this one."""
    key, root = f"model.{PROJECT}.evil", f"source.{PROJECT}.evil"
    told = {"description": text, "data_type": text, "config": {"meta": {text: True}}}
    model = of_dbt(key, {text: told}, schema=text, description=text, name=text)
    source = of_dbt(root, {text: told}, source_name=text, name=text, description=text)
    made = manifest([model, source], {"evil": [key]})
    for exposure in made["exposures"].values():
        exposure |= {"name": text, "label": text, "type": text, "description": text}
    column = derived(text, untraced=(text,)) | {
        "origins": [{"node": root, "column": text, "kind": "copy", "field": text}]
    }
    chosen = rows(untraced=(text,)) | {
        "origins": [{"node": root, "column": text, "kind": "filter"}]
    }
    return recorded({key: record(text, {text: column}, chosen)}), made


def made_up(models: int, columns: int) -> tuple[dict, dict]:
    """Return a record and a manifest with these numbers of models, and of columns per model."""
    layers = ["bronze", "silver", "silver", "gold"]
    kinds = ["copy", "computed", "aggregated", "condition", "window"]
    nodes, records = [], {}
    keys = [f"model.{PROJECT}.{layers[n * 4 // models]}_model_{n}" for n in range(models)]
    for number, key in enumerate(keys):
        names = [f"column_{n}_of_{number}" for n in range(columns)]
        layer = layers[number * 4 // models]
        nodes.append(of_dbt(key, {name: {} for name in names}, schema=layer))
        above = [each for each in keys[:number] if layer not in each][-3:] or keys[:number][-1:]
        told = {}
        for n, name in enumerate(names):
            reads = [above[(n + step) % len(above)] for step in range(1 + n % 2) if above]
            told[name] = derived(
                "string",
                *(
                    f"{kinds[n % 5]} {read} column_{(n + 3 * step) % columns}_of_{keys.index(read)}"
                    for step, read in enumerate(reads)
                ),
                untraced=("the Python function f",) if n % 10 == 9 else (),
            )
        chosen = rows(*(f"filter {each} column_0_of_{keys.index(each)}" for each in above))
        records[key] = record(f"lake.{layer}.{key.split('.')[-1]}", told, chosen)
    return recorded(records), manifest(nodes, {"board": keys[-2:]})


def plausible(manifest: dict) -> dict:
    """Return a record for a project's manifest.

    A column comes from the parents' columns of the same name, else from their first columns.
    """
    records = {}
    known = {**manifest["nodes"], **manifest["sources"]}
    for key, node in manifest["nodes"].items():
        if node["resource_type"] != "model":
            continue
        reads = [known[each] for each in node["depends_on"]["nodes"]]
        told = {}
        for name, column in node["columns"].items():
            same = [f"copy {each['unique_id']} {name}" for each in reads if name in each["columns"]]
            firsts = [next(iter(each["columns"]), "value") for each in reads]
            other = [
                f"computed {each['unique_id']} {first}"
                for each, first in zip(reads, firsts, strict=True)
            ]
            told[name] = derived(column["data_type"], *(same or other))
        chosen = rows(*(f"filter {each['unique_id']} {first}"
                        for each, first in zip(reads, firsts, strict=True)))  # fmt: skip
        records[key] = record(f"lakehouse.{node['relation_name']}", told, chosen)
        records[key]["checksum"] = node["checksum"]["checksum"]
    return recorded(records)
