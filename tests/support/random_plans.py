"""Random Spark plans on small tables with known keys."""

import random
from collections.abc import Callable

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

# Each combination of the columns outside the key occurs in at least two rows, including nulls. So a
# wrong assumption about duplicates or nulls shows.
TABLES = """
create schema if not exists {schema};
create or replace table {schema}.t using iceberg as
    select cast(row_number() over (order by a, b, f, n) as int) as id, a, b, f from
    (select explode(array(1, 2, 3, null)) as a), (select explode(array('x', 'y', null)) as b),
    (select explode(array(true, false, null)) as f), (select explode(array(1, 2)) as n);
create or replace table {schema}.u using iceberg as
    select a, b, (a + ascii(b)) % 2 as v from
    (select explode(sequence(1, 8)) as a), (select explode(array('x', 'y', 's', 't')) as b);
create or replace table {schema}.w using iceberg as
    select a, element_at(array('x', 'y', null), a % 3 + 1) as b,
        element_at(array(true, false, null), cast(a div 3 % 3 + 1 as int)) as f from
    (select explode(sequence(1, 18)) as a);
"""

# The keys of these tables.
KEYS = {"t": [{"id"}], "u": [{"a", "b"}], "w": [{"a"}]}


class RandomPlans:
    """Generates random plans.

    Args:
        spark: The session.
        schema: The schema of TABLES.
        chance: The random number generator.
    """

    def __init__(self, spark: SparkSession, schema: str, chance: random.Random) -> None:
        self.spark = spark
        self.schema = schema
        self.chance = chance
        self.number = 0
        # Whether a step selects no rows, as `dbt build --empty` does.
        self.is_empty = False

    def plan(self, depth: int = 4) -> DataFrame:
        """Return a plan with up to `depth` steps on a table."""
        frame = self._table()
        for _ in range(self.chance.randint(1, depth)):
            frame = self._step(frame, depth)
        return frame

    def key(self, frame: DataFrame) -> list[int]:
        """Return the positions of a few random columns."""
        return sorted(
            self.chance.sample(
                range(len(frame.columns)), self.chance.randint(1, min(3, len(frame.columns)))
            )
        )

    def _table(self) -> DataFrame:
        return self._renamed(
            self.spark.table(f"{self.schema}.{self.chance.choice(['t', 't', 'u', 'w'])}")
        )

    def _renamed(self, frame: DataFrame) -> DataFrame:
        """Give the columns unique names, so that a self join can tell its sides apart."""
        self.number += 1
        return frame.toDF(*[f"c{self.number}_{at}" for at in range(len(frame.columns))])

    def _step(self, frame: DataFrame, depth: int) -> DataFrame:
        steps: list[Callable[[DataFrame], DataFrame]] = [
            self._project,
            self._project,
            self._filter,
            self._filter,
            self._group,
            self._rank,
            self._distinct,
            self._explode,
            lambda frame: frame.orderBy(frame.columns[0]),
            self._limit,
        ]
        if depth > 1:
            steps += [self._join, self._join, self._join, self._union]
        return self.chance.choice(steps)(frame)

    def _limit(self, frame: DataFrame) -> DataFrame:
        if self.chance.random() < 0.2:
            self.is_empty = True
            return frame.where(F.lit(False)).limit(0)
        return frame.limit(self.chance.choice([1, 3]))

    def _expression(self, frame: DataFrame) -> Column:
        column = F.col(self.chance.choice(frame.columns))
        return self.chance.choice(
            [
                column,
                column.cast("string"),
                F.base64(column.cast("string")),
                F.upper(column.cast("string")),
                F.sha2(F.to_json(F.struct(*map(F.col, frame.columns[:2]))), 256),
                F.concat_ws("|", *[F.col(name).cast("string") for name in frame.columns[:2]]),
                F.coalesce(column.cast("string"), F.lit("x")),
                F.when(column.isNull(), "none").otherwise("some"),
                F.lit(self.chance.choice(["x", "y"])),
                F.length(column.cast("string")),
            ]
        )

    def _project(self, frame: DataFrame) -> DataFrame:
        number = self.chance.randint(1, len(frame.columns))
        kept = [F.col(name) for name in self.chance.sample(frame.columns, number)]
        made = [self._expression(frame) for _ in range(self.chance.randint(0, 2))]
        return frame.select(*[c.alias(f"p{at}") for at, c in enumerate([*kept, *made])]).transform(
            self._renamed
        )

    def _condition(self, frame: DataFrame) -> Column:
        name, kind = self.chance.choice(frame.dtypes)
        column = F.col(name)
        other = F.col(self.chance.choice(frame.columns))
        value = {"string": "x", "boolean": True}.get(kind, 1)
        return self.chance.choice(
            [
                column.isNotNull(),
                column.isNotNull(),
                column.isNull(),
                column == F.lit(value) if kind != "boolean" else column,
                column <= F.lit(value) if kind != "boolean" else ~column,
                column.cast("string").eqNullSafe(other.cast("string")),
                column.cast("string").isin("x", "1"),
                column.isNotNull() | other.isNull(),
            ]
        )

    def _filter(self, frame: DataFrame) -> DataFrame:
        condition = self._condition(frame)
        return frame.where(
            condition & self._condition(frame) if self.chance.random() < 0.3 else condition
        )

    def _group(self, frame: DataFrame) -> DataFrame:
        number = self.chance.randint(0, min(3, len(frame.columns)))
        keys = [F.col(name) for name in self.chance.sample(frame.columns, number)]
        if self.chance.random() < 0.3:
            keys.append(F.upper(F.col(frame.columns[0]).cast("string")).alias("upper"))
        made = [F.count(F.lit(1)).alias("n"), F.max(frame.columns[-1]).alias("m")]
        grouped = frame.groupBy(*keys).agg(*made).transform(self._renamed)
        return self._project(grouped) if self.chance.random() < 0.5 else grouped

    def _rank(self, frame: DataFrame) -> DataFrame:
        number = self.chance.randint(1, min(2, len(frame.columns)))
        by = self.chance.sample(frame.columns, number)
        window = Window.partitionBy(*by).orderBy(frame.columns[0])
        function = self.chance.choice([F.row_number, F.row_number, F.rank])
        ranked = self._renamed(frame.withColumn("rank", function().over(window)))
        rank = F.col(ranked.columns[-1])
        return self.chance.choice(
            [ranked, *(ranked.where(c) for c in (rank == 1, rank <= 1, rank < 2, rank < 3))]
        )

    def _distinct(self, frame: DataFrame) -> DataFrame:
        some = self.chance.sample(frame.columns, self.chance.randint(1, len(frame.columns)))
        return self.chance.choice(
            [frame.distinct(), frame.select(*some).distinct(), frame.dropDuplicates(some)]
        )

    def _explode(self, frame: DataFrame) -> DataFrame:
        texts = F.array(*[F.col(name).cast("string") for name in frame.columns[:2]])
        make = self.chance.choice([F.explode, F.posexplode, F.explode_outer])
        return self._renamed(frame.select("*", make(texts)))

    def _join(self, frame: DataFrame) -> DataFrame:
        other = self.plan(2) if self.chance.random() < 0.5 else self._table()
        kind = self.chance.choice(
            ["inner", "inner", "left", "right", "full", "left_semi", "left_anti", "cross"]
        )
        if kind == "cross":
            return self._renamed(frame.crossJoin(other))
        pairs = [
            (F.col(one), F.col(two))
            for one, of_one in frame.dtypes
            for two, of_two in other.dtypes
            if of_one == of_two
        ]
        if not pairs:
            return frame
        chosen = self.chance.sample(pairs, self.chance.randint(1, min(2, len(pairs))))
        condition = F.lit(True)
        for one, two in chosen:
            equal = one.eqNullSafe(two) if self.chance.random() < 0.2 else one == two
            condition = condition & equal
        if self.chance.random() < 0.2:
            condition = condition & self._condition(other)
        return self._renamed(frame.join(other, condition, kind))

    def _union(self, frame: DataFrame) -> DataFrame:
        tags = self.chance.choice([("x", "y"), ("x", "x")])
        one, two = (frame.withColumn("tag", F.lit(tag)) for tag in tags)
        if self.chance.random() < 0.3:
            two = two.where(self._condition(two))
        both = one.unionAll(two) if self.chance.random() < 0.8 else one.intersect(two)
        return self._renamed(both)
