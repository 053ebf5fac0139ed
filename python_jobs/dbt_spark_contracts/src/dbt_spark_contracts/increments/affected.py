"""`dbt.affected` of a Python model: the rows of the keys that changed since its last build."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dbt_spark_contracts.increments import code, note
from dbt_spark_contracts.increments.among import among
from dbt_spark_contracts.increments.differences import Differences
from dbt_spark_contracts.increments.history import Unknown
from dbt_spark_contracts.increments.note import Note
from dbt_spark_contracts.lineage import watch
from dbt_spark_contracts.publish import tell

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

    from dbt_spark_contracts.lineage.watch import Collected


class Affected:
    """What one Python model asks of `dbt.affected`, and what its table is to replace.

    Attributes:
        is_asked: Whether the model has called it.
        replaced: The keys whose rows are replaced. None: all rows are.
        is_nothing: Whether there is nothing to replace.
    """

    def __init__(
        self,
        session: "SparkSession",
        differences: Differences,
        table: str,
        model: dict,
        values: Mapping[str, Any],
    ) -> None:
        """Begin for one run of a model.

        Args:
            session: The session.
            differences: The differences that the command has looked for.
            table: The model's table.
            model: dbt's model.
            values: What `dbt.config.get` returns, by name.
        """
        self._session, self._differences = session, differences
        self._table, self._model, self._values = table, model, values
        self._parents: dict[str, str] = {}
        self._frames: list[tuple[DataFrame, str]] = []
        self._note: Note | None = None
        self._kept: list[DataFrame] = []
        self.is_incremental = self.is_asked = self.is_nothing = False
        self.replaced: DataFrame | None = None

    def hand(self, relation: str, frame: "DataFrame") -> None:
        """Remember a parent that the model gets."""
        self._parents[note.key(relation)] = relation
        self._frames.append((frame, note.key(relation)))

    def __call__(
        self,
        rows: "DataFrame",
        by: "Sequence[str | Column]",
        *,
        keys: "Callable[[DataFrame], DataFrame] | None" = None,
        also: "Mapping[str, Callable[[DataFrame], DataFrame]] | None" = None,
        apart_from: Iterable[str] = (),
    ) -> "DataFrame":
        """Return the rows of a parent that the model has to look at.

        These are all rows of the parent whose `by` had a new, changed or removed row since the
        table was built. The table's rows of these keys are replaced by what the model returns.

        All rows are returned, and all rows of the table replaced, on the first run, with
        --full-refresh, if the code, the contract, a config value or another parent has changed, and
        if it is not known what has changed. The latter prints a line.

        Args:
            rows: The parent, from `dbt.ref`.
            by: Columns of the parent, or expressions of them with an alias. No row of the model's
                may depend on rows of the parent with another `by`.
            keys: Returns the keys of the table's rows, as its unique_key, for a DataFrame of `by`.
                Without it, `by` is the unique_key.
            also: For names of `dbt.config.get` whose value has changed: a function that returns
                further values of `by`, given the table's rows.
            apart_from: Names of `dbt.config.get` whose value changes no row.
        """
        self.is_asked = True
        handled = {*(also or {}), *apart_from}
        with watch.unwatched():
            found, parents = self._snapshots()
        decide = {name: value for name, value in self._values.items() if name not in handled}
        self._note = Note(
            note.key(self._table),
            found,
            parents,
            code.checksum(self._model, decide),
            {name: str(self._values.get(name)) for name in also or {}},
        )
        if not self.is_incremental:
            return rows
        try:
            changed = self._changed(rows, by, also or {})
        except Unknown as unknown:
            tell.line(f"{self._table}: all rows are made anew, because {unknown}.")
            return rows
        if changed is None:
            self.is_nothing = True
            return rows.where("false")
        # Both the rows and the keys need it.
        changed = changed.persist()
        self._kept.append(changed)
        self.replaced = keys(changed) if keys else changed
        with watch.unwatched():
            return among(rows, by, changed)

    def _snapshots(self) -> tuple[int | None, dict[str, int]]:
        """Return the snapshots of the table and, as far as they have some, of its parents."""
        parents = {}
        for name, relation in self._parents.items():
            number = note.newest(self._session, relation)
            if number is not None:
                parents[name] = number
        return note.newest(self._session, self._table), parents

    def _changed(
        self,
        rows: "DataFrame",
        by: "Sequence[str | Column]",
        also: "Mapping[str, Callable[[DataFrame], DataFrame]]",
    ) -> "DataFrame | None":
        """Return the values of `by` that have changed, or None if nothing has.

        Raises:
            Unknown: If that is not known.
        """
        assert self._note
        with watch.unwatched():
            last = note.recall(self._session, self._table)
        if not last.made_by:
            raise Unknown("its last build did not say what it depends on")
        if last.made_by != self._note.made_by:
            raise Unknown("its code, its contract or its config has changed")
        asked = next((name for frame, name in self._frames if frame is rows), None)
        if asked is None:
            raise Unknown("dbt.affected was not given what dbt.ref returns")
        if {*last.parents} != {*self._note.parents} or asked not in last.parents:
            raise Unknown("it has other parents")
        found = []
        for name, number in self._note.parents.items():
            parent = self._parents[name]
            with watch.unwatched():
                difference = self._differences.get(
                    self._session, parent, last.parents[name], number
                )
                if name == asked and not difference.is_empty:
                    found.append(difference.keys(by))
                elif name != asked and difference.is_of_rows():
                    raise Unknown(f"{parent} has changed")
        table = self._session.table(self._table)
        for name, further in also.items():
            if self._note.values[name] != last.values.get(name):
                found.append(further(table).select(*rows.select(*by).columns))
        if not found:
            return None
        both = found[0]
        for one in found[1:]:
            both = both.unionByName(one)
        return both.distinct()

    def check(self, frame: "DataFrame", collected: "Collected") -> None:
        """Check what the model returns: if it depends on something unknown, nothing is noted."""
        if self._note is None:
            return
        names = {*self._parents, note.key(self._table)}
        try:
            if lost := sorted({*self._parents} - {*self._note.parents}):
                raise Unknown(f"{lost[0]} has no snapshot, or was asked for after dbt.affected")
            code.require_known(frame, self._model["raw_code"], collected, names)
        except Unknown as unknown:
            tell.line(f"{self._table}: its next build makes all rows anew, because {unknown}.")
            self._note = None

    def note(self) -> Note | None:
        """Return the note for the rows that are written. None if they depend on the unknown."""
        return self._note

    def close(self) -> None:
        """Let go of what was kept for the run."""
        for frame in self._kept:
            frame.unpersist()
