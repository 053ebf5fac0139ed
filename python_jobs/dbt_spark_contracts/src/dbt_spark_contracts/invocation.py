"""The state of one dbt command (dbt calls it an invocation).

A program may run several commands in one process, also of several projects, so their state must not
mix. The plugin creates the invocation and attaches it to the profile's credentials, because dbt
passes these to every object of this package. State of the process is elsewhere: its Spark and Java
(spark/session.py), Java's commit listener (publish/branches.py), ended leases (publish/lease.py),
and patches of dbt.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbt_spark_contracts.compat import dbt_adapters
from dbt_spark_contracts.errors import explain
from dbt_spark_contracts.increments.differences import Differences
from dbt_spark_contracts.lineage.artifact import ColumnLineage
from dbt_spark_contracts.publish import tell
from dbt_spark_contracts.publish.ownership import Ownership
from dbt_spark_contracts.publish.run import Run
from dbt_spark_contracts.spark import session
from dbt_spark_contracts.spark.checkpoints import Checkpoints
from dbt_spark_contracts.spark.settings import CHECKPOINT_DIR

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from dbt_spark_contracts.contract.promise import Promise
    from dbt_spark_contracts.increments.affected import Affected
    from dbt_spark_contracts.increments.new_rows import NewRows
    from dbt_spark_contracts.lineage.memory import Memory
    from dbt_spark_contracts.lineage.project import Project
    from dbt_spark_contracts.snapshot_notes import Notes

# The attribute of dbt's credentials that holds the invocation.
_ATTRIBUTE = "dbt_spark_contracts_invocation"


@dataclass
class Invocation:
    """One dbt command.

    Attributes:
        run: Locks, writes and publishes the tables.
        column_lineage: The origins of the columns of its models.
        staged: The DataFrames of staged views, by name.
        project: The nodes of dbt's graph, by table. It is created when a model needs it.
        prepared: The promise of each table that it has prepared.
        made: The origins of the rows of staged views, until they are stored in their tables.
        notes: The notes of Python models, by staged view, until they are stored in their tables.
        affected: The calls of `dbt.affected`, by staged view.
        differences: What they have found to differ in their parents.
        new_rows: What each model reads of its parents, by table.
        with_known_columns: The nodes whose marks were checked to be on existing columns.
        told: The result of an operation for the command line, one row per table.
        left_at: The snapshot of each table whose contract was checked after the model wrote it.
    """

    run: "Run"
    column_lineage: "ColumnLineage"
    staged: "dict[str, DataFrame]" = field(default_factory=dict)
    project: "Project | None" = None
    prepared: "dict[str, Promise]" = field(default_factory=dict)
    made: "dict[str, Memory]" = field(default_factory=dict)
    notes: "dict[str, Notes]" = field(default_factory=dict)
    affected: "dict[str, Affected]" = field(default_factory=dict)
    differences: "Differences" = field(default_factory=Differences)
    new_rows: "dict[str, NewRows]" = field(default_factory=dict)
    with_known_columns: "set[str]" = field(default_factory=set)
    told: "list[dict]" = field(default_factory=list)
    left_at: "dict[str, int | None]" = field(default_factory=dict)

    def rows_of(self, view: str) -> "DataFrame":
        """Return the DataFrame of a staged view. All checks share it, so its plan is read once."""
        if view not in self.staged:
            self.staged[view] = session.get().table(view)
        return self.staged[view]

    @classmethod
    def begin(
        cls, credentials: Any, target: Path, project: str, retried: dict | None = None
    ) -> "Invocation":
        """Create the invocation of a command, and attach it to the profile's credentials.

        Args:
            credentials: The credentials.
            target: dbt's target folder.
            project: The project's name.
            retried: The run that a `dbt retry` continues, from dbt_core.retried_run.
        """
        run = Run(
            lambda: dbt_adapters.call_macro("contracts__operations_schema"),
            retried,
            Ownership(Checkpoints(credentials.server_side_parameters.get(CHECKPOINT_DIR))),
        )
        invocation = cls(run, ColumnLineage(target, project))
        setattr(credentials, _ATTRIBUTE, invocation)
        return invocation

    def __deepcopy__(self, memo: dict) -> "Invocation":
        """Return the same object. dbt copies its config and the credentials for a unit test."""
        return self

    @classmethod
    def of(cls, config: Any) -> "Invocation":
        """Return the invocation that is attached to a config of dbt.

        A program may create an adapter without a command, as dbt's own tests do. Then the
        invocation is created here.
        """
        known = getattr(config.credentials, _ATTRIBUTE, None)
        target = Path(config.project_root, config.target_path)
        return known or cls.begin(config.credentials, target, config.project_name)

    @classmethod
    def last(cls) -> "Invocation | None":
        """Return the invocation of the last dbt command in this process, or None."""
        return getattr(dbt_adapters.last_credentials(), _ATTRIBUTE, None)

    def complete(self, settle: "Callable[[Invocation], None]") -> None:
        """Clean up when the command ends, also after a failure. Never raises: errors are printed.

        Checkpoints are deleted, and Spark's session reads and writes main again.

        Args:
            settle: Called while the run still has the lease.
        """
        self.run.complete(lambda: settle(self))
        lines = self.run.last_lines
        try:
            if session.is_running():
                self.differences.close()
                session.use_branch(None)
                self.run.ownership.checkpoints.delete()
        except Exception as error:
            lines.append(f"Not all was cleared up, the next run will: {explain(error)}")
        for line in lines:
            tell.outcome(line)
