"""The plugin that dbt calls for each command, after it has read profile and project."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbt.flags import get_flags
from dbt.plugins.contracts import PluginArtifacts
from dbt.plugins.manager import dbt_hook, dbtPlugin
from dbt_common.exceptions import CompilationError

from dbt_spark_contracts import materializations
from dbt_spark_contracts.compat import dbt_adapters, dbt_core, dbt_speed, dbt_unit_tests, patches
from dbt_spark_contracts.lineage import wrong_marks

if TYPE_CHECKING:
    from dbt_spark_contracts.invocation import Invocation

# The commands that always need Spark. For others (compile, debug), it starts at the first query.
SPARK_COMMANDS = {
    *("build", "run", "test", "seed", "snapshot", "clone", "retry", "show", "run-operation"),
    *("freshness", "generate"),
}
# The commands that stage models. The guard reads the plans of these.
STAGING_COMMANDS = {"build", "run", "snapshot", "retry"}


def refuse_wrong_marks(manifest: Any) -> None:
    """Check by the manifest alone that each mark is on a column that exists.

    This is for an engine without readable plans. On Spark, the check is part of that of a model.

    Raises:
        CompilationError: With one line for each wrong mark.
    """
    found = [*manifest.nodes.values(), *manifest.sources.values()]
    nodes = [node.to_dict(omit_none=False) for node in found]
    wrong = [*wrong_marks.misplaced(nodes), *wrong_marks.absent_from_contracts(nodes)]
    if wrong := [*wrong, *wrong_marks.by_words(nodes)]:
        raise CompilationError("\n".join(wrong))


class SparkContractsPlugin(dbtPlugin):
    """Sets dbt up for Python models on Spark, and for contracts.

    Attributes:
        invocation: The state of the command. None for a profile that is not for Spark in process.
        is_on_athena: Whether the profile is for Athena.
    """

    invocation: "Invocation | None" = None
    is_on_athena = False

    def initialize(self) -> None:
        """Prepare this command.

        Raises:
            DbtRuntimeError: If the version of dbt-core is not known, or the profile cannot be used.
                The message is one line.
        """
        patches.undo()  # a program may run commands of several projects
        if getattr(get_flags(), "WHICH", None) == "retry":
            retried = dbt_core.retried_run()
            dbt_core.on_retry(lambda config: self.set_up(config.credentials, config, retried))
        else:
            project = dbt_core.current_project()
            self.set_up(dbt_core.current_credentials(), project)

    def set_up(self, credentials: Any, project: Any, retried: dict | None = None) -> None:
        """Prepare dbt for a profile and a project.

        Args:
            credentials: The profile's credentials.
            project: dbt's project.
            retried: The run that a `dbt retry` continues, from dbt_core.retried_run.

        Raises:
            DbtRuntimeError: As in `initialize`.
        """
        adapter_type = getattr(credentials, "type", "")
        in_process = adapter_type == "spark" and credentials.method == "session"
        if adapter_type not in ("spark", "athena"):
            return
        dbt_core.require_known_dbt()
        dbt_speed.quicken()
        if adapter_type == "spark" and not in_process:
            from dbt_spark_contracts.sql_only.adapter import SparkAdapter as SqlOnlyAdapter

            dbt_adapters.use_package(adapter_type, Path(__file__).parent / "sql_only")
            dbt_core.keep_in_columns(wrong_marks.KNOWN)
            dbt_adapters.use_adapter(SqlOnlyAdapter)
            return
        dbt_adapters.use_package(adapter_type)
        dbt_core.allow_contracts_on_python_models()
        dbt_unit_tests.allow_unit_tests_of_python_models()
        dbt_core.keep_in_columns(wrong_marks.KNOWN)
        if get_flags().WHICH == "generate":
            # Not at the top: other commands need none of it.
            from dbt_spark_contracts.compat import dbt_docs
            from dbt_spark_contracts.dbt_docs import page

            dbt_docs.on_docs_written(page.protect)
        if not getattr(get_flags(), "INTROSPECT", True):
            dbt_core.list_no_relations()
        if not in_process:
            dbt_core.add_macros(project, Path(__file__).parent / "athena_macros")
            self.is_on_athena = True
            return
        # Not at the top: dbt imports this module in every project, also in one without Spark.
        from dbt_spark_contracts.publish.maintenance import settings as maintenance
        from dbt_spark_contracts.spark import session
        from dbt_spark_contracts.spark.settings import spark_settings

        dbt_core.merge_meta(maintenance.KEY)
        flags = get_flags()
        project_dir = Path(flags.PROJECT_DIR).resolve()
        if str(project_dir) not in sys.path:
            sys.path.append(str(project_dir))  # a Python model may import from its project
        credentials.server_side_parameters = spark_settings(
            credentials.server_side_parameters, project_dir, Path(flags.LOG_PATH).resolve()
        )
        session.configure(credentials.server_side_parameters)
        if flags.WHICH in SPARK_COMMANDS:
            # Java starts in parallel with everything that follows.
            session.start(reads_plans=flags.WHICH in STAGING_COMMANDS)
            dbt_core.keep_results_when_a_last_hook_is_refused()
        from dbt_spark_contracts.adapter import SparkAdapter
        from dbt_spark_contracts.invocation import Invocation
        from dbt_spark_contracts.lineage import watch

        dbt_adapters.use_adapter(SparkAdapter)
        if flags.WHICH in SPARK_COMMANDS:
            dbt_core.around_each_ephemeral_model(watch.watched)
        self.invocation = Invocation.begin(credentials, *dbt_core.target_folder(), retried)
        dbt_core.on_node_finished(self.invocation.run.node_finished)
        if flags.WHICH == "generate" and project is dbt_core.current_project():
            # dbt does not ask get_manifest_artifacts for the docs. (A retry keeps its manifest.)
            dbt_core.on_manifest(self.invocation.column_lineage.annotate)
        complete = partial(self.invocation.complete, SparkAdapter.settle_changes)
        dbt_core.on_command_completed(complete)
        dbt_core.on_fatal_result(dbt_adapters.cancel_siblings)
        if flags.WRITE_JSON:
            dbt_core.on_command_completed(self.invocation.column_lineage.write)

    @dbt_hook
    def get_manifest_artifacts(self, manifest: Any) -> PluginArtifacts:
        """Add column origins to the manifest, which dbt writes again at the end.

        It adds no artifact: column_lineage.json is written at the end of the command. dbt does not
        call this for `retry`, nor with --no-write-json. On Spark the adapter therefore checks again
        before each model.

        Raises:
            DbtRuntimeError: For a contract that nothing would check, or a wrong setting of
                maintenance. The message is one line.
            CompilationError: On Athena, for marks that mark nothing.
        """
        if self.is_on_athena:
            refuse_wrong_marks(manifest)
        if self.invocation:
            from dbt_spark_contracts.publish.maintenance import settings

            self.invocation.column_lineage.annotate(manifest)
            for node in manifest.nodes.values():
                of_columns = {name: column.meta for name, column in node.columns.items()}
                settings.read(node.name, node.config.meta, of_columns)
                if node.resource_type == "model":
                    macro = dbt_core.find_materialization(manifest, self.project_name, node)
                    materializations.check(node, macro, manifest.macros, is_audited=False)
        return {}
