"""Every private name of dbt-core, dbt-adapters and dbt-spark that the plugin touches.

`tests/plugin/test_dbt_internals.py` fails when one of them changes.
"""

import copy
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

from dbt_spark_contracts.lineage.artifact import ColumnLineage

# The dbt-core versions whose private names below were read and tested.
KNOWN_DBT_VERSIONS = ("1.11",)

# The name of this package of macros, as in its dbt_project.yml.
PACKAGE = "dbt_spark_contracts"
_packaged_adapters: set[str] = set()

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
    return results and {
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


def on_command_completed(call) -> None:
    """Call `call()` when this dbt command ends, however it ends."""
    _on_event("CommandCompleted", call)


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
        return ours if ours and found.package_name in stock_names(adapter_type) else found

    Manifest.find_materialization_macro_by_name = find_materialization


def add_macros(folder: Path) -> None:
    """Let the project of this dbt command have the macros in `folder` as if they were its own.

    Ours for Athena call those of dbt-athena that they take the place of, and only a project's own
    macros can. `dbt retry` reads the project anew, so that it gets them once more.
    """
    click.get_current_context().obj["project"].macro_paths.append(str(folder))
    if get_flags().WHICH == "retry":
        from dbt.task import retry

        class WithMacros(RuntimeConfig):
            @classmethod
            def from_args(cls, args):
                config = RuntimeConfig.from_args(args)
                config.macro_paths.append(str(folder))
                return config

        retry.RuntimeConfig = WithMacros


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
