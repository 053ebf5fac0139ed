"""The adapter methods that the macros of increments and the materializations call."""

from typing import TYPE_CHECKING, Any

from dbt.adapters.base.meta import AdapterMeta, available
from dbt.flags import get_flags

from dbt_spark_contracts import tables
from dbt_spark_contracts.compat.pyspark import has_any, optimized_plan
from dbt_spark_contracts.connection import explained
from dbt_spark_contracts.increments import note
from dbt_spark_contracts.increments.code import checksum_of
from dbt_spark_contracts.increments.history import Unknown
from dbt_spark_contracts.increments.new_rows import NewRows
from dbt_spark_contracts.publish import summaries, tell
from dbt_spark_contracts.publish.command import WRITES
from dbt_spark_contracts.spark import session

if TYPE_CHECKING:
    from dbt_spark_contracts.invocation import Invocation


class IncrementMethods(metaclass=AdapterMeta):
    """The part of the adapter for what is new since the last build."""

    invocation: "Invocation"

    def settle(self, view: Any) -> None:
        """Compute a staged view once, if its rows may differ the next time: see the adapter."""
        raise NotImplementedError

    @available
    def new_rows(self, table: Any, parent: Any, view: Any, is_incremental: bool) -> str | None:
        """Let a view stand for the rows of a parent that a table has not been built from.

        The table will remember that it was built from all rows of the parent, as they are now.

        Args:
            table: The table of the model.
            parent: The relation that it reads.
            view: The name of the view.
            is_incremental: Whether rows are added to those of the table.

        Returns:
            The view. None if the model has to read the parent itself: all of it, or what its own
            condition finds. The latter prints a line.
        """
        is_whole = not (parent.view or parent.limit is not None or parent.event_time_filter)
        if get_flags().WHICH not in WRITES or not is_whole:
            return None
        name = str(table)
        with explained():
            if name not in self.invocation.new_rows:
                self.invocation.new_rows[name] = NewRows(session.get(), name)
            reads = self.invocation.new_rows[name]
            if not reads.read(str(parent)) or not is_incremental:
                return None
            try:
                reads.of(str(parent)).createOrReplaceTempView(str(view))
            except Unknown as unknown:
                told = f"{name}: compared with all of {parent}, because {unknown}."
                if isinstance(unknown, note.Changed):
                    told += f" If rows were deleted, use `--full-refresh -s {table.identifier}`."
                tell.line(told)
                return None
        reads.views.append(str(view))
        return str(view)

    @available
    def note_what_is_read(self, table: Any, view: Any) -> None:
        """Let the rows that this thread writes carry the note of what they are made from."""
        reads = self.invocation.new_rows.get(str(table))
        made_from = reads.note() if reads else None
        if (affected := self.invocation.affected.get(str(view))) and affected.is_asked:
            made_from = affected.note()
        if made_from:
            summaries.add(session.get(), note.MADE_FROM, str(made_from))

    @available
    def has_no_news(self, table: Any, view: Any) -> bool:
        """Return whether a model has no rows to add, by its plan. No Spark job.

        The plan is only optimized if the model's parents have no new rows, or if it has a limit.
        """
        reads, rows = self.invocation.new_rows.get(str(table)), self.invocation.rows_of(str(view))
        with explained():
            may_have_none = (reads is not None and reads.has_no_news) or has_any(rows, "LIMIT")
            most = optimized_plan(rows).maxRows() if may_have_none else None
        return most is not None and most.isDefined() and most.get() == 0

    @available
    def replace_keys(self, table: Any, view: Any, keys: list[str]) -> None:
        """Write the staged rows of a model with the strategy delete+insert.

        The rows of the keys that `dbt.affected` has found, and those of the staged rows' keys, are
        replaced. If it has found that all rows are to be made anew, all are.
        """
        affected = self.invocation.affected.get(str(view))
        is_asked = affected is not None and affected.is_asked
        if affected and affected.is_nothing:
            tell.detail(f"{table}: nothing has changed")
            return
        with explained():
            if affected and is_asked and affected.replaced is None:
                tell.change(f"{table}: overwrite all rows")
                tables.replace_all(session.get(), str(table), str(view))
                return
            self.settle(view)
            tell.change(f"{table}: replace rows by {', '.join(keys)}")
            replaced = affected.replaced if affected else None
            tables.replace_keys(session.get(), str(table), str(view), keys, replaced)

    @available
    def has_rows_of_seed(self, table: Any, rows: Any, types: dict[str, str]) -> bool:
        """Return whether a seed's table has the rows of its file. Reads metadata only.

        The rows that this thread writes will carry a note of the file. The table is prepared.

        Args:
            table: The table.
            rows: The values of each row of the file.
            types: The Spark type of each column, by name.
        """
        name = str(table)
        with explained():
            # A column that somebody has dropped was added again, empty.
            columns = tables.load(session.get(), name).schema().schemaId()
            made_by = checksum_of([*types.items()], tables.seed_texts(rows), columns)
            try:
                is_there = note.recall(session.get(), name).made_by == made_by
            except Unknown:
                is_there = False
            found = note.newest(session.get(), name)
            told = note.Note(note.key(name), found, made_by=made_by)
            summaries.add(session.get(), note.MADE_FROM, str(told))
        return is_there

    @available
    def forget_new_rows(self, table: Any) -> None:
        """Drop the views of new rows that this model has read."""
        if reads := self.invocation.new_rows.pop(str(table), None):
            for view in reads.views:
                session.get().catalog.dropTempView(view)
