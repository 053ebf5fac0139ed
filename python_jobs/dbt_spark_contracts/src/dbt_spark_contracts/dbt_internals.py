"""Every private name of dbt-core, dbt-adapters and dbt-spark that the plugin touches.

`tests/plugin/test_dbt_internals.py` fails when one of them changes.
"""

import copy
import csv
import sys
from datetime import date
from hashlib import sha256
from pathlib import Path

import click
from dbt.adapters.factory import FACTORY
from dbt.config.runtime import RuntimeConfig
from dbt.constants import RUN_RESULTS_FILE_NAME
from dbt.contracts.graph.manifest import Manifest
from dbt.flags import get_flags
from dbt.version import installed
from dbt_common.events.event_manager_client import add_callback_to_manager
from dbt_common.exceptions import DbtRuntimeError
from dbt_common.semver import VersionSpecifier

from dbt_spark_contracts import file_sources
from dbt_spark_contracts.lineage.artifact import ColumnLineage

# The dbt-core versions whose private names below were read and tested.
KNOWN_DBT_VERSIONS = ("1.11",)

# The name of this package of macros, as in its dbt_project.yml.
PACKAGE = "dbt_spark_contracts"
_packaged_adapters: set[str] = set()

# The results of a node that end a command under --fail-fast (GraphRunnableTask.call_runner).
FATAL = ("error", "fail", "partial success")

# The macro by which a materialization checks a staged model against its contract.
CONTRACT_CHECK = "contracts__check_staged_against_contract"

# On Athena: dbt-athena's package, whose materializations write a Python model's table by this macro
# of theirs, and by that of the root project where it has one; and the check that ours puts there.
ATHENA_PACKAGE = "dbt_athena"
ATHENA_WRITER = "athena__py_save_table_as"
ATHENA_CONTRACT_CHECK = "contracts__py_check_against_contract"


def require_known_dbt() -> None:
    """Raises DbtRuntimeError, in one line, if dbt-core is not of a version that is known here."""
    version: VersionSpecifier = installed
    if f"{version.major}.{version.minor}" not in KNOWN_DBT_VERSIONS:
        raise DbtRuntimeError(
            f"dbt-spark-contracts knows dbt-core {', '.join(KNOWN_DBT_VERSIONS)}, and this is "
            f"{version.to_version_string(skip_matcher=True)}: install dbt-core~="
            f"{KNOWN_DBT_VERSIONS[-1]}.0, or a newer dbt-spark-contracts."
        )


def current_credentials():
    """The credentials of the profile that this dbt command runs with; None outside a command.

    dbt's plugin hooks are handed the project's name only; dbt's command line keeps the rest.
    """
    context = click.get_current_context(silent=True)
    profile = context and (context.obj or {}).get("profile")
    return getattr(profile, "credentials", None)


def current_project():
    """The project that this dbt command runs in; None outside a command."""
    context = click.get_current_context(silent=True)
    return context and (context.obj or {}).get("project")


def retried_run() -> dict | None:
    """The run that this `dbt retry` takes up; None for other commands, or if there is none.

    Out: its `invocation_id`, and whether it `has_written` any table. dbt reads its results from
    the folder `--state`, else from the target folder.
    """
    from dbt.contracts.state import load_result_state

    flags = get_flags()
    if flags.WHICH != "retry":
        return None
    project = click.get_current_context().obj["project"]
    folder = Path(project.project_root, flags.STATE or project.target_path)
    results = load_result_state(folder / RUN_RESULTS_FILE_NAME)
    if not results:
        return None
    return {
        "invocation_id": results.metadata.invocation_id,
        "has_written": any(
            result.status == "success"
            and result.unique_id.startswith(("model.", "seed.", "snapshot."))
            for result in results.results
        ),
    }


def column_lineage() -> ColumnLineage:
    """What this dbt command's target folder tells of where columns come from."""
    project = click.get_current_context().obj["project"]
    return ColumnLineage(Path(project.project_root, project.target_path), project.project_name)


def on_manifest(call) -> None:
    """Call `call(manifest)` when this dbt command has its manifest, before it writes it.

    Not for `retry`, which keeps its manifest to itself.
    """
    _on_event("FoundStats", lambda: call(click.get_current_context().obj["manifest"]))


def call_macro(name: str):
    """What a macro returns, also when this dbt command has run all its nodes."""
    (adapter,) = FACTORY.adapters.values()
    return adapter.execute_macro(name)


def builds_a_part() -> bool:
    """Does this dbt command build a part of the rows, for a try: --empty or --sample?"""
    flags = get_flags()
    return bool(getattr(flags, "EMPTY", False) or getattr(flags, "SAMPLE", None))


def on_node_finished(call) -> None:
    """Call `call(unique_id, status)` whenever a node of this dbt command has run."""

    def told(event) -> None:
        if event.info.name == "NodeFinished":
            call(event.data.node_info.unique_id, event.data.run_result.status)

    add_callback_to_manager(told)


def on_command_completed(call) -> None:
    """Call `call()` when this dbt command ends, however it ends."""
    _on_event("CommandCompleted", call)


def on_fatal_result(call) -> None:
    """Call `call()`, in the thread that ran it, when a node fails under `--fail-fast`.

    dbt itself looks for that when the next node can begin: never, where that waits for a sibling
    that runs on and on.
    """

    def look(event) -> None:
        is_result = event.info.name == "NodeFinished" and get_flags().FAIL_FAST
        if is_result and event.data.run_result.status in FATAL:
            call()

    add_callback_to_manager(look)


def cancel_siblings() -> None:
    """Cancel what the threads of this dbt command run, but for this thread."""
    for adapter in FACTORY.adapters.values():
        if adapter.type() in _packaged_adapters:
            adapter.cancel_open_connections()


def _on_event(name: str, call) -> None:
    add_callback_to_manager(lambda event: call() if event.info.name == name else None)


def use_package(adapter_type: str) -> None:
    """Let projects of this adapter have the macros of this package as they have the adapter's.

    dbt has such internal packages for each adapter, and looks through them in order. Ours comes
    first, so it can take the place of a macro of the adapter's; what a project defines itself
    comes before both. It also has to survive `dbt retry`, which reads the project anew.
    """
    _packaged_adapters.add(adapter_type)
    if PACKAGE in FACTORY.packages:
        return
    FACTORY.packages[PACKAGE] = Path(__file__).parent
    stock_names = FACTORY.get_adapter_package_names

    def package_names(name):
        return [PACKAGE, *stock_names(name)] if name in _packaged_adapters else stock_names(name)

    FACTORY.get_adapter_package_names = package_names
    find = Manifest.find_materialization_macro_by_name

    def find_materialization(manifest, project_name, materialization_name, adapter_type):
        """Of two internal packages with a materialization of one name, dbt takes either."""
        found = find(manifest, project_name, materialization_name, adapter_type)
        name = f"materialization_{materialization_name}_{adapter_type}"
        ours = manifest.macros.get(f"macro.{PACKAGE}.{name}")
        is_stock = found and found.package_name in stock_names(adapter_type)
        return ours if ours and is_stock else found

    Manifest.find_materialization_macro_by_name = find_materialization


def leave_alone() -> None:
    """Undo what an earlier command of this process has set up for another project."""
    _packaged_adapters.clear()
    if spark := sys.modules.get("dbt.adapters.spark"):
        spark.Plugin.adapter = spark.SparkAdapter
    if retry := sys.modules.get("dbt.task.retry"):
        retry.RuntimeConfig = RuntimeConfig


def add_macros(project, folder: Path) -> None:
    """Let `project`, of this dbt command, have the macros in `folder` as if they were its own.

    Ours for Athena call those of dbt-athena that they take the place of, and only a project's own
    macros can.
    """
    project.macro_paths.append(str(folder))


def on_retry(call) -> None:
    """Call `call(config)` when this `dbt retry` has read its project and profile anew.

    Its target is that of the run that it takes up, and not that of the command line.
    """
    from dbt.task import retry

    class Noticed(RuntimeConfig):
        @classmethod
        def from_args(cls, args):
            config = RuntimeConfig.from_args(args)
            call(config)
            return config

    retry.RuntimeConfig = Noticed


def list_no_relations() -> None:
    """Let this dbt command not list what is in the warehouse before it begins.

    `dbt compile --no-introspect` does so all the same, and needs credentials for nothing else.
    """
    object.__setattr__(get_flags(), "populate_cache", False)


def use_adapter(adapter: type) -> None:
    """Let `type: spark` of a profile mean `adapter`, a subclass of dbt-spark's."""
    import dbt.adapters.spark  # not at the top: a project of another adapter pays for no dbt-spark

    dbt.adapters.spark.Plugin.adapter = adapter


def allow_contracts_on_python_models() -> None:
    """Lift dbt-core's refusal of contracts on Python models where the check that replaces it is.

    dbt-core refuses `contract: {enforced: true}` on any model that is not SQL, when it parses
    (ModelPatchParser._validate_constraint_prerequisites). The refusal stays for a model whose
    materialization does not make the check.
    """
    # Not at the top: a dbt-core that is not known may lack them, and is told so in one line.
    from dbt.artifacts.resources.types import ModelLanguage
    from dbt.parser.schemas import ModelPatchParser

    if hasattr(ModelPatchParser, "_refuse"):
        return
    refuse = ModelPatchParser._refuse = ModelPatchParser._validate_constraint_prerequisites

    def validate(parser, node) -> None:
        if node.language == ModelLanguage.python and (check := _contract_check(parser, node)):
            # So that a partial parse comes back here when that macro changes.
            node.depends_on.add_macro(check.unique_id)
            node = copy.copy(node)
            node.language = ModelLanguage.sql
        refuse(parser, node)

    ModelPatchParser._validate_constraint_prerequisites = validate


def _contract_check(parser, node):
    """The macro that has the contract of `node`, a Python model, checked; None if there is none."""
    project = parser.root_project
    materialization = parser.manifest.find_materialization_macro_by_name(
        project.project_name, node.config.materialized, project.credentials.type
    )
    if materialization is None:
        return None
    if materialization.package_name == ATHENA_PACKAGE:
        writer = parser.manifest.macros.get(f"macro.{project.project_name}.{ATHENA_WRITER}")
        return writer if writer and calls(writer, ATHENA_CONTRACT_CHECK) else None
    takes_python = "python" in (materialization.supported_languages or ())  # a view does not
    return materialization if takes_python and calls(materialization, CONTRACT_CHECK) else None


def find_materialization(manifest, project: str, node):
    """The macro of a node's materialization in a project of dbt-spark; None if there is none."""
    materialized = node.get_materialization()
    return manifest.find_materialization_macro_by_name(project, materialized, "spark")


def calls(macro, name: str) -> bool:
    """Does the macro call another of that name?"""
    return any(called.endswith(f".{name}") for called in macro.depends_on.macros)


def allow_unit_tests_of_python_models() -> None:
    """Let dbt's unit tests test a Python model too.

    dbt takes the model's code for SQL, whatever its language (UnitTestManifestLoader). Here the
    test gets the language and the refs and sources of its model; the given rows become a query
    each, which the materialization `unit` makes a view; and the code that dbt adds to a Python
    model is rendered with the test's overrides, and loads those views.
    """
    from dbt.compilation import Compiler
    from dbt.parser.unit_tests import UnitTestManifestLoader

    if hasattr(Compiler, "_compile_sql_or_model"):
        return
    parse_test = UnitTestManifestLoader.parse_unit_test_case
    compile_code = Compiler._compile_sql_or_model = Compiler._compile_code

    def parse(loader, test_case) -> None:
        parse_test(loader, test_case)
        tested = loader.manifest.nodes[test_case.depends_on.nodes[0]]
        if tested.language == "python":
            _test_python_model(loader, test_case, tested)

    def compile(compiler, node, manifest, extra_context=None):
        if hasattr(node, TESTED_MODEL):
            return _compile_python_test(compiler, node, manifest)
        return compile_code(compiler, node, manifest, extra_context)

    UnitTestManifestLoader.parse_unit_test_case = parse
    Compiler._compile_code = compile


# The attribute of a unit test's node that is the Python model under test.
TESTED_MODEL = "_tested_python_model"


def _test_python_model(loader, test_case, tested) -> None:
    """Make what dbt has parsed as the unit test of a SQL model that of `tested`, a Python model.

    Raises ParsingError for what dbt refuses of a SQL model's: see process_models_for_unit_test.
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
    """The unique ids of the nodes that stand for what is given, in its order."""
    return [name for name in test.depends_on.nodes if name in loader.unit_test_manifest.nodes]


def _known_columns(node) -> dict[str, str]:
    """The columns of a model, seed or source and their types, where the project tells all of them.

    By its contract; of a source of files, those that Python models get; of a seed, where the types
    of all its columns are configured. Empty else: dbt asks the table.
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
    """Rows whose Python text is Jinja too: a date that YAML has read is a text again."""
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
    # All threads share one session, so the names of views are this test's own.
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
    """Which file a node stands in."""
    return {"package_name": node.package_name, "original_file_path": node.original_file_path}
