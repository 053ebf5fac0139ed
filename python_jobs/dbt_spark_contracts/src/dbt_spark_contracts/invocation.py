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

# The attribute of dbt's credentials that holds it.
_ATTRIBUTE = "dbt_spark_contracts_invocation"


@dataclass
class Invocation:
    """One dbt command.

    Attributes:
        run: What it does to tables.
        column_lineage: Where the columns of its models come from.
        staged: The rows of staged views, by name.
        project: What its graph tells of tables, once a model has asked.
        prepared: What was promised of the tables that it has prepared.
        made: What the rows of staged views are made of, until their tables remember it.
        notes: What the Python models of staged views ask of notes, until their tables have them.
        affected: What the Python models of staged views ask of `dbt.affected`.
        new_rows: What the models of these tables read of their parents.
        with_known_columns: The nodes whose marks were found to be on columns that are there.
        told: What an operation tells of tables, a row each, for the command line.
        left_at: Of those whose promise was found to be kept, the snapshot that the model left.
    """

    run: "Run"
    column_lineage: "ColumnLineage"
    staged: "dict[str, DataFrame]" = field(default_factory=dict)
    project: "Project | None" = None
    prepared: "dict[str, Promise]" = field(default_factory=dict)
    made: "dict[str, Memory]" = field(default_factory=dict)
    notes: "dict[str, Notes]" = field(default_factory=dict)
    affected: "dict[str, Affected]" = field(default_factory=dict)
    new_rows: "dict[str, NewRows]" = field(default_factory=dict)
    with_known_columns: "set[str]" = field(default_factory=set)
    told: "list[dict]" = field(default_factory=list)
    left_at: "dict[str, int | None]" = field(default_factory=dict)

    def rows_of(self, view: str) -> "DataFrame":
        """The rows of a staged view: one DataFrame for all checks, which read its plan once."""
        if view not in self.staged:
            self.staged[view] = session.get().table(view)
        return self.staged[view]

    @classmethod
    def begin(
        cls, credentials: Any, target: Path, project: str, retried: dict | None = None
    ) -> "Invocation":
        """A new one, which the credentials of the command's profile carry from now on.

        Args:
            credentials: The credentials.
            target: dbt's target folder.
            project: The project's name.
            retried: The run that a `dbt retry` takes up.
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
        """The same: dbt copies its config, credentials and all, for a unit test."""
        return self

    @classmethod
    def of(cls, config: Any) -> "Invocation":
        """That of the command with this config of dbt's.

        A program may make an adapter without a command, as dbt's own tests do: then a new one.
        """
        known = getattr(config.credentials, _ATTRIBUTE, None)
        target = Path(config.project_root, config.target_path)
        return known or cls.begin(config.credentials, target, config.project_name)

    @classmethod
    def last(cls) -> "Invocation | None":
        """That of the dbt command that ran last in this process; None if there was none."""
        return getattr(dbt_adapters.last_credentials(), _ATTRIBUTE, None)

    def complete(self, settle: "Callable[[Invocation], None]") -> None:
        """The command ends, however it does. Raises nothing: what went wrong is said.

        Nothing is left of it: its checkpoints go, and Spark goes back to main.

        Args:
            settle: Called while the lease of the run is still its own.
        """
        self.run.complete(lambda: settle(self))
        lines = self.run.last_lines
        try:
            if session.is_running():
                session.use_branch(None)
                self.run.ownership.checkpoints.delete()
        except Exception as error:
            lines.append(f"Not all was cleared up, the next run will: {explain(error)}")
        for line in lines:
            tell.outcome(line)
