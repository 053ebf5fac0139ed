"""The rows that differ between two snapshots of a table, by the files that differ."""

import uuid
from threading import Lock
from typing import TYPE_CHECKING, Any

from pyspark.errors import AnalysisException
from pyspark.sql import functions as F

from dbt_spark_contracts import tables
from dbt_spark_contracts.compat import iceberg
from dbt_spark_contracts.increments.history import Unknown, back_to, changes_rows
from dbt_spark_contracts.plan.tree import names
from dbt_spark_contracts.publish.sizes import size_of
from dbt_spark_contracts.schemas import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame, SparkSession

# With more differing rows than this, and than half of the table, all rows are cheaper.
MANY = 100_000

# The sign of a row: 1 in the new files, -1 in the old ones.
_SIGN = "dbt_sign"

# Types that Spark groups as they are. It takes -0.0 for 0.0, so doubles are grouped as text.
_GROUPED = names("""
    string tinyint smallint int bigint date timestamp timestamp_ntz boolean binary
""")

# Spark's JSON has milliseconds, unless it is told otherwise.
_TIMES = dict.fromkeys(("timestampFormat", "timestampNTZFormat"), "yyyy-MM-dd'T'HH:mm:ss.SSSSSS")


class Difference:
    """The difference of two snapshots of a table.

    Several models may ask for its rows. They are computed once, by the first query of them.
    """

    def __init__(self, session: "SparkSession", table: str, earlier: int, newest: int) -> None:
        """Find the files that differ. Reads metadata only.

        Raises:
            Unknown: If the snapshots do not tell.
        """
        self._session, self._table = session, table
        self._loaded = tables.load(session, table)
        between = [*back_to(self._loaded, newest, earlier)]
        self._keys: list[str] = []
        self._rows: DataFrame | None = None
        self._lock = Lock()
        self.is_empty = not any(changes_rows(each) for each in between)
        self._added: dict[str, Any] = {}
        self._removed: dict[str, Any] = {}
        for snapshot in [] if self.is_empty else reversed(between):
            self._add(snapshot)
        if self._removed and self._loaded.snapshot(earlier) is None:
            raise Unknown(f"the snapshot {earlier} of {table} was expired")
        files = [*self._added.values(), *self._removed.values()]
        differing = sum(file.recordCount() for file in files)
        now = size_of(self._loaded, self._loaded.snapshot(newest))
        if differing > MANY and differing * 2 > now.rows:
            raise Unknown("more than half of its files are new")

    def _add(self, snapshot: Any) -> None:
        io = self._loaded.io()
        if any(iterable.iterator().hasNext() for iterable in _deletes(snapshot, io)):
            raise Unknown("its rows were deleted by merge-on-read")
        for file in snapshot.addedDataFiles(io):
            self._added[file.location()] = file
        for file in snapshot.removedDataFiles(io):
            if self._added.pop(file.location(), None) is None:
                self._removed[file.location()] = file

    def keys(self, by: "Sequence[str | Column]") -> "DataFrame":
        """Return the values of columns in the rows that differ, each once. Nothing is computed.

        Args:
            by: Columns of the table, or expressions of them with an alias.

        Raises:
            Unknown: If the rows have columns that cannot be compared.
        """
        with self._lock:
            if self._rows is None:
                self._rows = self._differing().persist()
        return self._rows.select(*by).distinct()

    def _differing(self) -> "DataFrame":
        """Return the rows that differ, with the columns of the table."""
        sides = []
        for files, sign in ((self._added, 1), (self._removed, -1)):
            if files:
                self._keys.append(uuid.uuid4().hex)
                rows = iceberg.read_files(
                    self._session, self._table, self._loaded, files.values(), self._keys[-1]
                )
                sides.append(rows.withColumn(_SIGN, F.lit(sign)))
        if not sides:
            return self._session.table(self._table).where("false")
        both = sides[0] if len(sides) == 1 else sides[0].unionAll(sides[1])
        columns = [_Column(number, *each) for number, each in enumerate(sides[0].dtypes[:-1])]
        try:
            differ = (
                both.groupBy(*(column.compared for column in columns))
                .agg(F.sum(_SIGN).alias(_SIGN), *(c.kept for c in columns if c.kept is not None))
                .where(f"{_SIGN} != 0")
            )
        except AnalysisException as error:
            raise Unknown("its rows cannot be compared") from error
        return differ.select(*(column.value for column in columns))

    def close(self) -> None:
        """Let go of the rows and the files. The keys cannot be computed any more."""
        if self._rows is not None:
            self._rows.unpersist()
        for key in self._keys:
            iceberg.forget_files(self._session, self._loaded, key)

    def is_of_rows(self) -> bool:
        """Return whether rows differ, and not only files. A Spark job, if files differ.

        Raises:
            Unknown: If the rows have columns that cannot be compared.
        """
        if self.is_empty:
            return False
        return self.keys([F.lit(1).alias("dbt_key")]).first() is not None


def _deletes(snapshot: Any, io: Any) -> tuple:
    return snapshot.addedDeleteFiles(io), snapshot.removedDeleteFiles(io)


class _Column:
    """A column of a table whose rows are compared.

    Attributes:
        compared: Its values as Spark groups them, so that only equal ones are equal.
        kept: An aggregate of its value, if that cannot be told from `compared`.
        value: Its value again, after the rows were grouped.
    """

    def __init__(self, number: int, name: str, kind: str) -> None:
        column, compared, kept = F.col(quoted(name)), f"dbt_compared_{number}", f"dbt_kept_{number}"
        self.kept = None
        self.value = F.col(compared).alias(name)
        if kind in _GROUPED or kind.startswith("decimal"):
            self.compared = column.alias(compared)
        elif kind in ("double", "float"):
            self.compared = column.cast("string").alias(compared)
            self.value = F.col(compared).cast(kind).alias(name)
        else:
            self.compared = F.to_json(F.struct(column), _TIMES).alias(compared)
            # Of equal values, any one.
            self.kept = F.max_by(column, F.lit(1)).alias(kept)
            self.value = F.col(kept).alias(name)
