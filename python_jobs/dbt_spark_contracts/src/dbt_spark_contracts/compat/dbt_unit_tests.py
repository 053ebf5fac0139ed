"""dbt-core: unit tests, which support SQL models only.

dbt treats the model's code as SQL, whatever its language (UnitTestManifestLoader). Here the test
gets the language, refs and sources of its model. Each set of given rows becomes a query, which the
materialization `unit` turns into a view. The code that dbt adds to a Python model is rendered with
the test's overrides, and loads those views.
"""

import csv
from datetime import date
from hashlib import sha256
from pathlib import Path

from dbt_common.exceptions import DbtRuntimeError

from dbt_spark_contracts import file_sources
from dbt_spark_contracts.compat.patches import patch

# The attribute of a unit test's node that holds the tested Python model.
TESTED_MODEL = "_tested_python_model"


def allow_unit_tests_of_python_models() -> None:
    """Make dbt's unit tests work for Python models, too."""
    from dbt.compilation import Compiler
    from dbt.parser.unit_tests import UnitTestManifestLoader

    parse_test = UnitTestManifestLoader.parse_unit_test_case
    compile_code = Compiler._compile_code

    def parse(loader, test_case) -> None:
        parse_test(loader, test_case)
        tested = loader.manifest.nodes[test_case.depends_on.nodes[0]]
        if tested.language == "python":
            _test_python_model(loader, test_case, tested)

    def compile(compiler, node, manifest, extra_context=None):
        if hasattr(node, TESTED_MODEL):
            return _compile_python_test(compiler, node, manifest)
        return compile_code(compiler, node, manifest, extra_context)

    patch(UnitTestManifestLoader, "parse_unit_test_case", parse)
    patch(Compiler, "_compile_code", compile)


def _test_python_model(loader, test_case, tested) -> None:
    """Turn the unit test that dbt parsed for SQL into one of a Python model.

    Raises:
        ParsingError: For what dbt also refuses for SQL models: see process_models_for_unit_test.
    """
    from dbt.exceptions import ParsingError

    credentials = loader.root_project.credentials
    if not (credentials.type == "spark" and credentials.method == "session"):
        raise ParsingError(
            f"Unit test '{test_case.name}' is of a Python model, {tested.name}, which runs on "
            "Spark in the dbt process (`method: session`) only."
        )
    overrides = test_case.overrides.macros if test_case.overrides else {}
    is_incremental = overrides.get("is_incremental")
    if "is_incremental" in tested.raw_code and tested.config.materialized == "incremental":
        if not isinstance(is_incremental, bool):
            raise ParsingError(
                "Boolean override for 'is_incremental' must be provided for unit test "
                f"'{test_case.name}' in model '{tested.name}'"
            )
        if is_incremental and "this" not in [given.input.strip() for given in test_case.given]:
            raise ParsingError(
                f"Unit test '{test_case.name}' for incremental model '{tested.name}' must have a "
                "'this' input"
            )
    test = loader.unit_test_manifest.nodes[test_case.unique_id]
    test.language, test.refs, test.sources = tested.language, tested.refs, tested.sources
    setattr(test, TESTED_MODEL, tested)
    inputs = [loader.unit_test_manifest.nodes[name] for name in _inputs(loader, test)]
    for given, node in zip(test_case.given, inputs, strict=True):
        original = loader._get_original_input_node(given.input, tested, test_case.name)
        columns = _known_columns(original)
        if columns and isinstance(given.rows, list):
            node.raw_code = f"{{{{ contracts__fixture_sql({_as_jinja(given.rows)}, {columns}) }}}}"


def _inputs(loader, test) -> list[str]:
    """Return the unique ids of the nodes for the given inputs, in order."""
    return [name for name in test.depends_on.nodes if name in loader.unit_test_manifest.nodes]


def _known_columns(node) -> dict[str, str]:
    """Return the column types of a model, seed or source, if the project declares all of them.

    They come from the contract; for a file source, from the columns that Python models get; for a
    seed, from its config if that has all columns. Otherwise the result is empty, and dbt asks the
    table.
    """
    config = node.config
    if getattr(getattr(config, "contract", None), "enforced", False):
        return {column.name: column.data_type for column in node.columns.values()}
    if file_sources.location(node):
        return file_sources.COLUMNS
    types = getattr(config, "column_types", None) or {}
    if node.resource_type == "seed" and types:
        path = Path(node.root_path or "", node.original_file_path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file, delimiter=config.delimiter or ","), [])
        return dict(types) if set(header) == set(types) else {}
    return {}


def _as_jinja(rows: list[dict]) -> list[dict]:
    """Return rows whose Python text is also Jinja: dates that YAML has parsed become text again."""
    return [
        {name: str(value) if isinstance(value, date) else value for name, value in row.items()}
        for row in rows
    ]


class _View(str):
    """The name of a temporary view, where a relation is expected."""

    database = schema = ""

    @property
    def identifier(self) -> str:
        return str(self)


def _compile_python_test(compiler, test, manifest):
    """Compile the unit test of a Python model: its code, and the query of each view it loads."""
    from dbt.clients.jinja import get_rendered

    tested = getattr(test, TESTED_MODEL)
    context = compiler._create_node_context(test, manifest, {})
    overridden = test.overrides.macros if test.overrides else {}
    context["model"] = tested.to_dict(omit_none=True)
    context["this"] = _View(context["this"] or f"{tested.identifier}_is_not_given")
    if "is_incremental" not in overridden:
        context["is_incremental"] = lambda: False
    postfix = get_rendered("{{ py_script_postfix(model) }}", context, test)
    prefix = compiler.add_ephemeral_prefix("")
    # All threads share one session, so the view names must be unique to this test.
    own_prefix = f"__dbt__given__{sha256(test.unique_id.encode()).hexdigest()[:12]}__"
    given: dict[str, str] = {}
    for unique_id in test.depends_on.nodes:
        if unique_id not in manifest.nodes:
            continue  # a function
        node = compiler.compile_node(manifest.nodes[unique_id], manifest, {}, write=False)
        view = own_prefix + getattr(node, "cte_name", node.identifier)
        if view in given:
            raise DbtRuntimeError(f"Unit test '{test.name}' has two inputs of one name: {view}.")
        given[view] = node.compiled_code
    test.config._extra.update(given=given, model_file=_file(tested))
    test.compiled_code = f"{test.raw_code}\n\n{postfix.replace(prefix, own_prefix)}"
    test.compiled = True
    test.extra_ctes = []
    return test


def _file(node) -> dict[str, str]:
    """Return the file that contains a node."""
    return {"package_name": node.package_name, "original_file_path": node.original_file_path}
