"""Finds SQL models whose result depends on their text and their refs alone."""

from collections.abc import Iterable

import jinja2
from dbt_common.clients.jinja import get_environment
from jinja2 import meta, nodes

from dbt_spark_contracts.cli.check_pull_request.changes.macros import Calls
from dbt_spark_contracts.cli.check_pull_request.manifest import Manifest
from dbt_spark_contracts.cli.check_pull_request.proof.words import depends_on_when_or_where

# Jinja names that give the same result in each run, on each target, with any --vars.
ALLOWED = {"ref", "source", "config", "return", "doc", "exceptions", "adapter"}
ALLOWED |= {"range", "dict", "namespace", "loop", "varargs", "kwargs", "caller"}


def is_pure_sql(node: dict, manifest: Manifest, schemas: Iterable[str]) -> bool:
    """Return whether the model's query is the same in each run, as its plan shows it.

    The model and all macros that it calls must not use vars, the environment, the time, branches
    for incremental runs, or queries at compile time.
    """
    calls = Calls(manifest)
    macros = [manifest.macros[key] for key in calls.closure(node["depends_on"]["macros"])]
    known = {macro["name"] for macro in macros} | {macro["package_name"] for macro in macros}
    codes = [node["raw_code"], *(macro["macro_sql"] for macro in macros)]
    names = {*schemas}
    return all(_is_pure(code, known, names) for code in codes)


def _is_pure(code: str, known: set[str], schemas: set[str]) -> bool:
    if depends_on_when_or_where(code, schemas):
        return False
    try:
        template = get_environment(None).parse(code)
    except jinja2.TemplateError:
        return False
    asked = meta.find_undeclared_variables(template)
    if not asked <= ALLOWED | known:
        return False
    by_chance = any(each.name == "random" for each in template.find_all(nodes.Filter))
    attributes = {
        (each.node.name, each.attr)
        for each in template.find_all(nodes.Getattr)
        if isinstance(each.node, nodes.Name) and each.node.name in ("config", "adapter")
    }
    called = [each.node for each in template.find_all(nodes.Call)]
    named = [each for each in template.find_all(nodes.Name) if each.name == "config"]
    is_config_only_called = all(any(each is node for node in called) for each in named)
    return not by_chance and attributes <= {("adapter", "dispatch")} and is_config_only_called
