"""Nodes that are new, removed, moved, or have different code, config or contract columns."""

from collections.abc import Iterator

from dbt_spark_contracts.cli.check_pull_request.changes.change import Change, Reach
from dbt_spark_contracts.cli.check_pull_request.manifest import (
    HOLDERS,
    Manifest,
    file_of,
    names,
    parents,
)
from dbt_spark_contracts.lineage.artifact import short_name
from dbt_spark_contracts.plan.tree import names as labels

# Common names of dbt's terms.
KINDS = {"test": "data test", "doc": "docs block"}
# Config that changes nothing in a table, or that another file reports.
TOLD_ELSEWHERE = labels("""
    access alias config_keys_defaults config_keys_used contract database docs enabled
    group meta schema tags unlogged
""")
# Config of the table as a whole, not of its rows: see `definitions`.
OF_NO_ROW = ("grants", "persist_docs", "static_analysis")


def changed(before: Manifest, after: Manifest) -> Iterator[Change]:
    """Yield the differences in the nodes themselves. Rows of seeds are left to `seeds`."""
    for key in sorted(before.nodes.keys() | after.nodes.keys()):
        old, new = before.nodes.get(key), after.nodes.get(key)
        if old is None or new is None:
            node = new or old or {}
            is_new = old is None
            is_disabled = key in (after.raw.get("disabled") or {})
            how = "is new" if is_new else "is disabled" if is_disabled else "is gone"
            readers = (after if is_new else before).downstream([key])
            read = f"; read by {names(readers)}" if readers else ""
            yield Change(
                "new" if is_new else "gone",
                f"{called(node)} {how}{read}",
                file_of(node) if is_new else "",
                {key: Reach.ALL},
            )
            continue
        yield from _moved(key, old, new, after)
        yield from _config(key, old, new)
        if old["resource_type"] != "seed" and old.get("raw_code") != new.get("raw_code"):
            yield Change(
                "code", f"the code of {called(new)} has changed", file_of(new), {key: Reach.QUERY}
            )
        elif parents(old) != parents(new):
            yield Change("code", _reads(old, new), file_of(new), {key: Reach.QUERY})
        if file_of(old) != file_of(new):
            text = f"{called(new)} is in {file_of(new)}, and was in {file_of(old)}"
            yield Change("file", text, file_of(new))


def relation(node: dict) -> str:
    """Return the name by which readers find a node's table."""
    return (node.get("relation_name") or "").replace("`", "")


def _reads(old: dict, new: dict) -> str:
    """Describe that the same code reads other nodes: another model version, or through a macro."""
    won, lost = parents(new) - parents(old), parents(old) - parents(new)
    parts = [*([f"reads {names(won)}"] if won else [])]
    parts += [f"no longer reads {names(lost)}"] if lost else []
    return f"{called(new)} {', and '.join(parts)}"


def _moved(key: str, old: dict, new: dict, after: Manifest) -> Iterator[Change]:
    if relation(old) == relation(new) or not relation(old) or not relation(new):
        return
    readers = after.downstream([key])
    read = f"; read by {names(readers)}" if readers else ""
    text = f"{called(new)} moves from {relation(old)} to {relation(new)}{read}"
    # A moved source is a different table.
    reach = Reach.ALL if new["resource_type"] == "source" else Reach.NAME
    yield Change("moved", text, file_of(new), {key: reach})


def _config(key: str, old: dict, new: dict) -> Iterator[Change]:
    was, now = (_settings(node) for node in (old, new))
    for name in sorted(was.keys() | now.keys()):
        if was.get(name) != now.get(name):
            text = f"{called(new)}: {name} is {told(now.get(name))}, and was "
            yield Change("config", text + told(was.get(name)), file_of(new), {key: Reach.ALL})


def _settings(node: dict) -> dict:
    """Return the config of a node that affects its rows."""
    not_here = {*TOLD_ELSEWHERE, *OF_NO_ROW}
    config = {name: value for name, value in node["config"].items() if name not in not_here}
    if node["resource_type"] == "source":
        config = {"external": node.get("external"), "identifier": node.get("identifier")}
    return {name: value for name, value in config.items() if value not in (None, [], {}, "")}


def told(value: object) -> str:
    """Return a config value in one short line."""
    if isinstance(value, list) and value and isinstance(value[0], dict) and "sql" in value[0]:
        value = [hook["sql"] for hook in value]
    text = " ".join(str("not set" if value is None else value).split())
    return text if len(text) <= 80 else f"{text[:77]}…"


def called(node: dict) -> str:
    """Return the display name of a definition: a model's name, or the kind and name of others."""
    kind = node["resource_type"]
    name = short_name(node["unique_id"]) if kind in HOLDERS else node["name"]
    return name if kind == "model" else f"the {KINDS.get(kind, kind.replace('_', ' '))} {name}"
