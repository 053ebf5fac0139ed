"""dbt-core: the state of the running command, and contracts on Python models.

dbt passes only the project's name to plugin hooks. The rest is in click's context, which dbt's
command line fills, and in dbt's events.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click
from dbt.config.runtime import RuntimeConfig
from dbt.constants import RUN_RESULTS_FILE_NAME
from dbt.flags import get_flags
from dbt.version import installed
from dbt_common.events.contextvars import task_contextvars
from dbt_common.events.event_manager_client import add_callback_to_manager, get_event_manager
from dbt_common.exceptions import DbtRuntimeError
from dbt_common.semver import VersionSpecifier

from dbt_spark_contracts.compat.patches import patch

# The dbt-core versions whose private names were reviewed and tested.
KNOWN_DBT_VERSIONS = ("1.11", "1.12")

# Results that end a command under --fail-fast (GraphRunnableTask.call_runner).
FATAL = ("error", "fail", "partial success")

# What dbt calls its logger to the terminal.
TERMINAL = "stdout_log"

# The macro by which a materialization checks a staged model against its contract.
CONTRACT_CHECK = "contracts__check_staged_against_contract"

# For Athena: dbt-athena's package; the macro with which its materializations write a Python model's
# table, which the root project may override; and the check that this package adds there.
ATHENA_PACKAGE = "dbt_athena"
ATHENA_WRITER = "athena__py_save_table_as"
ATHENA_CONTRACT_CHECK = "contracts__py_check_against_contract"


def require_known_dbt() -> None:
    """Check that the version of dbt-core is supported, and its parser.

    Raises:
        DbtRuntimeError: If it is not. The message is one line.
    """
    version: VersionSpecifier = installed
    if f"{version.major}.{version.minor}" not in KNOWN_DBT_VERSIONS:
        raise DbtRuntimeError(
            f"dbt-spark-contracts knows dbt-core {' and '.join(KNOWN_DBT_VERSIONS)}, and this is "
            f"{version.to_version_string(skip_matcher=True)}: install dbt-core~="
            f"{KNOWN_DBT_VERSIONS[-1]}.0, or a newer dbt-spark-contracts."
        )
    # From 1.12 on. It is a program of its own, which knows neither our macros nor our contracts.
    if getattr(get_flags(), "USE_V2_PARSER", False):
        raise DbtRuntimeError(
            "dbt-spark-contracts does not know the v2 parser: use --no-use-v2-parser, or unset "
            "DBT_ENGINE_USE_V2_PARSER."
        )


def current_credentials():
    """Return the credentials of this dbt command's profile, or None outside a command."""
    context = click.get_current_context(silent=True)
    profile = context and (context.obj or {}).get("profile")
    return getattr(profile, "credentials", None)


def current_project():
    """Return the project of this dbt command, or None outside a command."""
    context = click.get_current_context(silent=True)
    return context and (context.obj or {}).get("project")


def retried_run() -> dict | None:
    """Return the run that this `dbt retry` continues.

    dbt reads its results from the folder `--state`, or else from the target folder.

    Returns:
        Its `invocation_id`, and whether it `has_written` any table. None for other commands, or if
        there is no such run.
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


def target_folder() -> tuple[Path, str]:
    """Return this dbt command's target folder and the name of its project."""
    project = click.get_current_context().obj["project"]
    return Path(project.project_root, project.target_path), project.project_name


def on_manifest(call) -> None:
    """Call `call(manifest)` when this dbt command has its manifest, before it is written.

    Does not work for `retry`, which does not expose its manifest.
    """
    _on_event("FoundStats", lambda: call(click.get_current_context().obj["manifest"]))


def builds_a_part() -> bool:
    """Return whether this dbt command is a trial with part of the rows: --empty or --sample."""
    flags = get_flags()
    return bool(getattr(flags, "EMPTY", False) or getattr(flags, "SAMPLE", None))


def on_node_finished(call) -> None:
    """Call `call`, below dbt's own line, whenever a node of this dbt command has run.

    Args:
        call: Called with the node's unique id, its status, the name of its table ("" if it has
            none), the seconds that it took, dbt's message, and the number of its failures.
    """

    def told(event) -> None:
        if event.info.name == "NodeFinished":
            info, result = event.data.node_info, event.data.run_result
            call(
                info.unique_id,
                result.status,
                info.node_relation.relation_name,
                result.execution_time,
                result.message,
                result.num_failures,
            )

    add_callback_to_manager(told)


def on_command_completed(call) -> None:
    """Call `call()` when this dbt command ends, however it ends."""
    _on_event("CommandCompleted", call)


def on_fatal_result(call) -> None:
    """Call `call()` in the thread of a node that fails under `--fail-fast`.

    dbt itself only checks for failures when the next node can start. That may be never, if the node
    waits for a long-running sibling.
    """

    def look(event) -> None:
        is_result = event.info.name == "NodeFinished" and get_flags().FAIL_FAST
        if is_result and event.data.run_result.status in FATAL:
            call()

    add_callback_to_manager(look)


def _on_event(name: str, call) -> None:
    add_callback_to_manager(lambda event: call() if event.info.name == name else None)


@contextmanager
def painted_on_terminal(paint: Callable[[str], str]) -> Iterator[None]:
    """Color the lines that are logged in this context, on the terminal only.

    The log file and the callbacks of a program get the plain line. dbt has no event whose text
    differs between them: its own lines keep their colors everywhere.

    Args:
        paint: Returns a line with colors. It is not called if dbt uses no colors.
    """
    shown = [
        logger
        for logger in get_event_manager().loggers
        if logger.name == TERMINAL and getattr(logger, "use_colors", False)
    ]
    before = [logger.scrubber for logger in shown]
    for logger, scrubber in zip(shown, before, strict=True):
        logger.scrubber = lambda line, scrubber=scrubber: paint(scrubber(line))
    try:
        yield
    finally:
        for logger, scrubber in zip(shown, before, strict=True):
            logger.scrubber = scrubber


def add_macros(project, folder: Path) -> None:
    """Add the macros in `folder` to `project`, as if they were its own.

    Only a project's own macros can override and still call those of dbt-athena.
    """
    project.macro_paths.append(str(folder))


def on_retry(call) -> None:
    """Call `call(config)` when this `dbt retry` has read its project and profile.

    Its target is that of the retried run, not that of the command line.
    """
    from dbt.task import retry

    class Noticed(RuntimeConfig):
        @classmethod
        def from_args(cls, args):
            config = RuntimeConfig.from_args(args)
            call(config)
            return config

    patch(retry, "RuntimeConfig", Noticed)


class Refused(str):
    """Placeholder SQL for a refused hook. It is never executed.

    Attributes:
        error: The reason.
    """

    error: Exception


def keep_results_when_a_last_hook_is_refused() -> None:
    """Turn an error in the Jinja of an on-run-end hook into the result of that hook.

    dbt turns an SQL error of a hook into a result (get_execution_status). But it treats a Jinja
    error as a Ctrl-C and drops the results of all nodes (RunTask.after_run). An on-run-start hook
    keeps dbt's behaviour: after its error, no node should run.
    """
    from dbt.task.run import RunTask  # imported late: `dbt parse` does not need it

    get_sql = RunTask.get_hook_sql

    def get_hook_sql(task, adapter, hook, idx, num_hooks, extra_context) -> str:
        try:
            return get_sql(task, adapter, hook, idx, num_hooks, extra_context)
        except Exception as error:
            if "on-run-end" not in hook.tags:
                raise
            refused = Refused(f"-- refused: {hook.name}")
            refused.error = error
            return refused

    patch(RunTask, "get_hook_sql", get_hook_sql)


def around_each_ephemeral_model(around) -> None:
    """Compile each ephemeral model of this dbt command within `around(unique_id)`.

    dbt compiles it with the first model that reads it, and reuses the code for the others
    (Compiler._compile_code).
    """
    from dbt.compilation import Compiler

    compile_code = Compiler._compile_code

    def compile_ephemeral(compiler, node, *args, **options):
        if not node.is_ephemeral_model:
            return compile_code(compiler, node, *args, **options)
        with around(node.unique_id):
            return compile_code(compiler, node, *args, **options)

    patch(Compiler, "_compile_code", compile_ephemeral)


def keep_in_columns(names) -> None:
    """Keep config keys of a column in the manifest that dbt would drop.

    dbt keeps only `meta` and `tags` of a column's `config` (ParserRef._add).

    Args:
        names: The keys.
    """
    from dbt.parser.common import ParserRef

    add = ParserRef._add

    def add_with_more(parser_ref, column) -> None:
        add(parser_ref, column)
        more = {name: value for name, value in column.config.items() if name in names}
        parser_ref.column_info[column.name]._extra.update(more)

    patch(ParserRef, "_add", add_with_more)


def merge_meta(key: str) -> None:
    """Merge a dict in `meta` over the levels of dbt_project.yml, a model's yml and its config().

    dbt merges `meta` by its keys only, so the dict of a folder would replace that of its parent.

    Args:
        key: The key of the dict in `meta`.
    """
    from dbt.context.context_config import ContextConfigGenerator

    update = ContextConfigGenerator._update_from_config

    def update_deeply(generator, result, partial, validate=False):
        above = (getattr(result, "meta", None) or {}).get(key)
        updated = update(generator, result, partial, validate)
        own = (getattr(updated, "meta", None) or {}).get(key)
        if isinstance(above, dict) and isinstance(own, dict):
            updated.meta[key] = {**above, **own}
        return updated

    patch(ContextConfigGenerator, "_update_from_config", update_deeply)


def list_no_relations() -> None:
    """Skip the listing of the warehouse before this dbt command begins.

    `dbt compile --no-introspect` still lists it, and needs credentials only for that.
    """
    object.__setattr__(get_flags(), "populate_cache", False)


# Whether a contract without columns is parsed: what writes contracts says so.
_unwritten_are_allowed = False


@contextmanager
def unwritten_contracts_allowed() -> Iterator[None]:
    """Let dbt parse an enforced contract without columns, in this context.

    dbt-core refuses it when it parses (ModelPatchParser._validate_constraint_prerequisites).
    """
    global _unwritten_are_allowed
    _unwritten_are_allowed = True
    try:
        yield
    finally:
        _unwritten_are_allowed = False


def allow_contracts_on_python_models() -> None:
    """Allow contracts on Python models whose materialization makes the check itself.

    When it parses, dbt-core refuses `contract: {enforced: true}` on any model that is not SQL
    (ModelPatchParser._validate_constraint_prerequisites). The refusal stays for a model whose
    materialization does not make the check.
    """
    # Imported late: an unsupported dbt-core may lack them, and gets a one-line message instead.
    from dbt.artifacts.resources.types import ModelLanguage
    from dbt.parser.schemas import ModelPatchParser

    refuse = ModelPatchParser._validate_constraint_prerequisites

    def validate(parser, node) -> None:
        if _unwritten_are_allowed and not node.columns:
            return
        if node.language == ModelLanguage.python and (check := _contract_check(parser, node)):
            # So that partial parsing comes back here when that macro changes.
            node.depends_on.add_macro(check.unique_id)
            node = copy.copy(node)
            node.language = ModelLanguage.sql
        refuse(parser, node)

    patch(ModelPatchParser, "_validate_constraint_prerequisites", validate)


def _contract_check(parser, node):
    """Return the macro that checks the contract of a Python model, or None."""
    project, macros = parser.root_project, parser.manifest.macros
    materialization = parser.manifest.find_materialization_macro_by_name(
        project.project_name, node.config.materialized, project.credentials.type
    )
    if materialization is None:
        return None
    if materialization.package_name == ATHENA_PACKAGE:
        writer = macros.get(f"macro.{project.project_name}.{ATHENA_WRITER}")
        return writer if writer and calls(writer, ATHENA_CONTRACT_CHECK, macros) else None
    takes_python = "python" in (materialization.supported_languages or ())  # a view does not
    is_held = takes_python and calls(materialization, CONTRACT_CHECK, macros)
    return materialization if is_held else None


def find_materialization(manifest, project: str, node):
    """Return the macro of a node's materialization in a dbt-spark project, or None."""
    materialized = node.get_materialization()
    return manifest.find_materialization_macro_by_name(project, materialized, "spark")


# The methods of dbt's node selection that say where a node is.
PLACES = ("fqn", "path", "file", "tag", "group", "package", "config", "access", "source")


def selected(manifest, root, word: str) -> set[str]:
    """Return the models, seeds, snapshots and sources that a selector names.

    Args:
        manifest: dbt's manifest.
        root: The project's folder.
        word: The selector, as for `--select`: one method, without graph operators.

    Returns:
        Their unique ids.

    Raises:
        DbtRuntimeError: If it is not such a selector. The message is one line.
    """
    # Not at the top: few projects need it.
    from dbt.graph.selector_methods import MethodManager
    from dbt.graph.selector_spec import SelectionCriteria

    criteria = SelectionCriteria.from_single_spec(word)
    has_operator = criteria.parents or criteria.children or criteria.childrens_parents
    if has_operator or criteria.method not in PLACES or " " in word or "," in word:
        raise DbtRuntimeError(
            f"{word!r} is not one word of dbt's node selection without graph operators: say each "
            f"in a line of a list, by {', '.join(PLACES[:-1])} or {PLACES[-1]}."
        )
    kinds = ("model", "seed", "snapshot")
    nodes = {key for key, node in manifest.nodes.items() if node.resource_type in kinds}
    method = MethodManager(manifest, None).get_method(criteria.method, criteria.method_arguments)
    with task_contextvars(project_root=root):  # a path is one in this folder
        return {*method.search(nodes | manifest.sources.keys(), criteria.value)}


def stock_materialization(manifest, name: str, context: dict):
    """Return dbt-spark's own materialization of this name, or else dbt's.

    Args:
        manifest: dbt's manifest.
        name: The name.
        context: The context of the node in which it is called.
    """
    from dbt.clients.jinja import MacroGenerator

    ids = (f"dbt_spark.materialization_{name}_spark", f"dbt.materialization_{name}_default")
    found = (manifest.macros.get(f"macro.{unique_id}") for unique_id in ids)
    return MacroGenerator(next(filter(None, found)), context)


def calls(macro, name: str, macros: Mapping) -> bool:
    """Return whether the macro calls another one of this name, directly or indirectly.

    Args:
        macro: The macro.
        name: The name.
        macros: The manifest's macros, by unique id.

    Returns:
        Whether there is such a call.
    """
    called, seen = [*macro.depends_on.macros], set()
    while called:
        unique_id = called.pop()
        if unique_id.rpartition(".")[2] == name:
            return True
        if unique_id not in seen and unique_id in macros:
            called += macros[unique_id].depends_on.macros
        seen.add(unique_id)
    return False
