"""Other differences in the manifests: fields that no other file of this folder reports.

They change no value of a table, so they reach no column. Unknown fields are reported, too.
"""

from collections.abc import Iterator

from dbt_spark_contracts.cli.check_pull_request.changes.change import Change, Reach
from dbt_spark_contracts.cli.check_pull_request.changes.code import OF_NO_ROW, called, told
from dbt_spark_contracts.cli.check_pull_request.exposures import readers
from dbt_spark_contracts.cli.check_pull_request.manifest import Manifest, file_of, names
from dbt_spark_contracts.lineage.wrong_marks import OF_MODELS
from dbt_spark_contracts.nodes import is_enforced
from dbt_spark_contracts.plan.tree import names as labels

PARTS = (
    "nodes", "sources", "functions", "unit_tests", "exposures", "metrics", "semantic_models",
    "saved_queries", "groups", "selectors", "docs", "macros",
)  # fmt: skip
# No other file reports that one of these kinds is new or removed.
WHOLE = (
    "analysis", "metric", "semantic_model", "saved_query", "group", "selector", "doc",
)  # fmt: skip
# Reported by another file, derived by dbt from other fields, or repeated in `config`.
NOT_HERE = labels("""
    access alias build_path checksum compiled_path contract created_at database depends_on
    doc_blocks docs expect fqn functions given group identifier language macro_sql meta
    metadata metrics model name node_relation original_file_path overrides package_name patch_path
    path primary_key raw_code refs relation_name resource_type root_path schema source_description
    source_meta sources supported_languages tags unique_id unrendered_config unrendered_database
    unrendered_schema
""")
# Long texts.
NOT_SHOWN = ("description", "block_contents")
SHOWN = 6
# Config that `code` and `safeguards` do not report.
OF_ALL = (*OF_NO_ROW, "contract", "meta", "tags", "docs")
# No other file reports any config of these kinds.
WITH_CONFIG = ("exposure", "metric", "semantic_model", "saved_query", "unit_test")


def changed(before: Manifest, after: Manifest) -> Iterator[Change]:
    """Yield each definition with other differences."""
    old, new = (_definitions(state) for state in (before, after))
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key), new.get(key)
        node = now or was or {}
        if was is None or now is None:
            if node["resource_type"] in WHOLE:
                how = "is new" if was is None else "is gone"
                yield Change("definition", f"{called(node)} {how}{_read_by(after, key)}")
            continue
        parts = [*_fields(was, now), *_columns(was, now)]
        if parts:
            more = [f"and {len(parts) - SHOWN} more"] if len(parts) > SHOWN else []
            text = f"{called(node)}: {'; '.join([*parts[:SHOWN], *more])}{_read_by(after, key)}"
            # dbt passes a contract to its model.
            reaches = {key: Reach.PLAN} if _promised(was) != _promised(now) else {}
            yield Change("definition", text, _file(now), reaches)


def _definitions(state: Manifest) -> dict[str, dict]:
    """Return all definitions in a manifest by unique id. Only the project's own macros count."""
    found = {}
    for part in PARTS:
        for key, node in (state.raw.get(part) or {}).items():
            if part == "selectors":
                node = {**node, "resource_type": "selector", "unique_id": f"selector..{key}"}
            is_own = part not in ("docs", "macros") or node["package_name"] == state.project
            if is_own and node["resource_type"] != "operation":  # `settings` reports hooks
                found[node["unique_id"]] = node
    return found


def _fields(old: dict, new: dict) -> Iterator[str]:
    was, now = (_all_fields(node) for node in (old, new))
    for name in sorted(was.keys() | now.keys()):
        yield from _difference(name, was.get(name), now.get(name))


def _all_fields(node: dict) -> dict:
    kind = node["resource_type"]
    fields = {name: value for name, value in node.items() if name not in {*NOT_HERE, "config"}}
    fields.pop("columns", None)
    if kind == "analysis":
        fields["code"] = node.get("raw_code")
    if kind == "semantic_model":
        fields["model"] = node.get("model")
    config = node.get("config") or {}
    if kind not in WITH_CONFIG:
        config = {name: value for name, value in config.items() if name in OF_ALL}
    # Allowances are reported separately.
    meta = config.get("meta") or {}
    told_here = {name: value for name, value in meta.items() if name not in OF_MODELS}
    return fields | {**config, "meta": told_here}


def _columns(old: dict, new: dict) -> Iterator[str]:
    """Yield the differences between the columns in a yml."""
    was, now = (node.get("columns") for node in (old, new))
    if not isinstance(was, dict) or not isinstance(now, dict):
        return
    yield from (f"column {name} is gone" for name in was if name not in now)
    yield from (f"column {name} is new" for name in now if name not in was)
    if [name for name in was if name in now] != [name for name in now if name in was]:
        yield "its columns are in a different order"
    for name in now:
        if name in was and was[name] != now[name]:
            yield from (f"column {name}: {text}" for text in _column(was[name], now[name]))


def _promised(node: dict) -> list:
    """Return the content of an enforced contract."""
    if not is_enforced(node.get("config") or {}):
        return []
    columns = node["columns"].values()
    named = [[each[name] for name in ("name", "data_type", "constraints")] for each in columns]
    return [node.get("contract"), node.get("constraints"), *named]


def _column(old: dict, new: dict) -> Iterator[str]:
    was, now = (
        {**each, **(each.get("config") or {}), "config": None, "doc_blocks": None}
        for each in (old, new)
    )
    for name in sorted(was.keys() | now.keys()):
        yield from _difference(name, was.get(name), now.get(name))


def _difference(name: str, was: object, now: object) -> Iterator[str]:
    empty: tuple = (None, "", [], {})
    if was == now or (was in empty and now in empty):
        return
    if name in (*NOT_SHOWN, "code"):
        yield f"{name} has changed"
    else:
        texts = [told(_short(value)) if value not in empty else "not set" for value in (now, was)]
        same = texts[0] == texts[1]  # as far as they are shown
        yield f"{name} has changed" if same else f"{name} is {texts[0]}, and was {texts[1]}"


def _short(value: object) -> object:
    """Return a value without dbt's defaults."""
    if isinstance(value, list):
        return [_short(each) for each in value]
    if isinstance(value, dict):
        own = {name: _short(each) for name, each in value.items() if "warn_un" not in name}
        return {name: each for name, each in own.items() if each not in (None, [], {})}
    return value


def _file(node: dict) -> str:
    """Return the yml that describes a node, or its own file."""
    return (node.get("patch_path") or "").partition("://")[2] or file_of(node)


def _read_by(state: Manifest, key: str) -> str:
    """Return the users of a definition, in words."""
    exposures = [exposure["name"] for exposure in readers(state, [key])]
    if key.startswith("group."):
        group = key.rpartition(".")[2]
        members = [each for each, node in state.nodes.items() if node.get("group") == group]
        return f"; of {names(members)}" if members else ""
    return f"; read by {', '.join(exposures)}" if exposures else ""
