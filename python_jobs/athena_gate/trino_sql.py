"""Checks that Athena can run the project's SQL: models and data tests, compiled for `athena`.

They are compiled as for a first run and as for a later one, without credentials or network. The
rules:

1. It is valid SQL for Trino, by sqlfluff's grammar.
2. Athena has each function, by the list of a real Trino (trino_functions.txt).
3. No type is a bare `timestamp`: in Trino it has milliseconds, and Iceberg has microseconds.
4. No macro of dbt is called whose meaning depends on the adapter.
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dbt.cli.main import dbtRunner
from sqlfluff.core import FluffConfig, Linter

FUNCTIONS = Path(__file__).with_name("trino_functions.txt")
# In that list: what the server has, and Athena's engine, which is older, may not have.
REFUSED = "!"
BARE_TIMESTAMP = re.compile(r"\btimestamp\b(?! *\()", re.IGNORECASE)
# dbt macros whose result differs by adapter, in type or rounding.
BANNED_MACROS = ("date", "datediff", "type_float", "type_timestamp")

# Replaces the warehouse: the tables exist and have rows.
LATER_RUN = {
    "is_incremental()": "{{ return(model.config.materialized == 'incremental') }}",
    "run_query(sql)": "{{ return({'rows': [['2026-01-15 00:00:00.000000', none]]}) }}",
}
# The types of every contract, as tables are created with them.
CONTRACTS = """
{% for node in graph.nodes.values() | selectattr('resource_type', 'equalto', 'model')
    | selectattr('config.contract.enforced') %}
{{ 'with' if loop.first else ',' }} contract_{{ loop.index }} as (
{{ get_empty_schema_sql(node.columns) }}
) {{ 'select 1 as one' if loop.last }}
{% endfor %}
"""


class CannotCompileError(Exception):
    """dbt cannot compile the project. The text is dbt's message."""


def check(project: Path) -> list[str]:
    """Return the problems of a project, one line each.

    Raises:
        CannotCompileError: If dbt cannot compile it.
    """
    with tempfile.TemporaryDirectory() as target:
        dbt = Dbt(project, target)
        manifest = dbt.parse()
        problems = list(banned_macros(manifest))
        compiled = dbt.compile_all(manifest)
    for name, sql in compiled:
        problems += [f"{name}: {problem}" for problem in problems_of(sql)]
    return list(dict.fromkeys(problems))


class Dbt:
    """dbt in this process, for a project on Athena."""

    def __init__(self, project: Path, target: str) -> None:
        folders = ["--project-dir", str(project), "--profiles-dir", str(project)]
        self.options = [
            "--target",
            "athena",
            "--log-level",
            "none",
            *folders,
            "--target-path",
            target,
        ]

    def parse(self, macros: dict[str, str] | None = None):
        """Return the project's manifest, with these macros (by signature) replaced."""
        manifest = self._invoke(dbtRunner(), "parse")
        for signature, body in (macros or {}).items():
            for macro in manifest.macros.values():
                if macro.name == signature.partition("(")[0]:
                    macro.macro_sql = f"{{% macro {signature} %}}{body}{{% endmacro %}}"
        return manifest

    def compile(self, manifest, *options: str) -> Iterator[tuple[str, str]]:
        """Yield name and SQL of each model and data test, or of what the options select.

        A seed has no SQL, and a hook that does nothing on Athena has none either.
        """
        done = self._invoke(dbtRunner(manifest), "compile", "--no-introspect", *options)
        for node in (result.node for result in done.results):
            if getattr(node, "language", None) == "sql" and node.compiled_code.strip():
                yield f"{node.original_file_path}: {node.name}", node.compiled_code

    def compile_all(self, manifest) -> list[tuple[str, str]]:
        """Return name and SQL of all, for a first run and a later one, and of the contracts."""
        compiled = [
            *self.compile(manifest),
            *(("contracts", sql) for _, sql in self.compile(manifest, "--inline", CONTRACTS)),
            *self.compile(self.parse(LATER_RUN)),
        ]
        return list(dict.fromkeys(compiled))

    def _invoke(self, runner: dbtRunner, *command: str):
        done = runner.invoke([*command, *self.options])
        if not done.success:
            raise CannotCompileError(done.exception or f"dbt {command[0]} failed")
        return done.result


def problems_of(sql: str) -> Iterator[str]:
    """Yield the problems of SQL for Athena by the first three rules, one line each."""
    parsed = Linter(config=_config()).parse_string(sql)
    for violation in parsed.violations:
        yield f"line {violation.line_no}: not valid in Trino: {violation.desc()}"
    if not parsed.tree:
        return
    allowed, refused = listed_functions()
    for function in parsed.tree.recursive_crawl("function_name", "bare_function"):
        if (name := function.raw.lower()) in refused:
            yield f"line {_line(function)}: {function.raw} is newer than Athena's engine"
        elif name not in allowed:
            yield f"line {_line(function)}: {function.raw} is not a function of Trino"
    for data_type in parsed.tree.recursive_crawl("data_type", recurse_into=False):
        if BARE_TIMESTAMP.search(data_type.raw):
            yield f"line {_line(data_type)}: {data_type.raw}: write timestamp(6), as Iceberg has it"


def banned_macros(manifest) -> Iterator[str]:
    """Yield the project's nodes and macros that call a macro of BANNED_MACROS."""
    for node in [*manifest.nodes.values(), *manifest.macros.values()]:
        source = getattr(node, "raw_code", None) or getattr(node, "macro_sql", None) or ""
        for macro in BANNED_MACROS:
            # dbt mistakes a method of that name, as in `run_started_at.date()`, for the macro.
            if (
                node.package_name == manifest.metadata.project_name
                and f"macro.dbt.{macro}" in node.depends_on.macros
                and re.search(rf"(?<![.\w])(dbt\.)?{macro}\s*\(", source)
            ):
                yield (
                    f"{node.original_file_path}: dbt.{macro} differs between adapters: use a macro "
                    "of macros/cross_engine"
                )


def listed_functions() -> tuple[set[str], set[str]]:
    """Return the names in trino_functions.txt: what Athena has, and what is refused."""
    lines = FUNCTIONS.read_text(encoding="utf-8").splitlines()
    names = {line for line in lines if not line.startswith("#")}
    refused = {name for name in names if name.startswith(REFUSED)}
    return names - refused, {name.removeprefix(REFUSED) for name in refused}


def _config() -> FluffConfig:
    return FluffConfig(
        overrides={"dialect": "trino", "templater": "raw", "large_file_skip_byte_limit": 0}
    )


def _line(segment) -> int:
    return segment.pos_marker.line_no
