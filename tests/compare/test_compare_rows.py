"""Two DataFrames are compared in Spark: values of any type, rows by key, and the grain."""

import math
from collections import Counter, defaultdict
from decimal import Decimal

import pytest
from dbt_spark_contracts.cli.compare import rows
from dbt_spark_contracts.cli.compare.columns import match
from dbt_spark_contracts.cli.compare.grain import Grain, grain
from dbt_spark_contracts.cli.compare.problem import CannotCompare
from dbt_spark_contracts.cli.compare.rows import ONLY_NEW, ONLY_OLD, counted, examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.spark_work import counted as work_of


def compared(old, new, key=("id",), tolerances=None, ignored=()):
    """Return the matched columns and the counts of a comparison."""
    columns = match(old.schema, new.schema, [*key], tolerances or {}, ignored)
    return columns, counted(old, new, columns)


# ---- values

# Pairs of SQL values that are equal.
SAME = {
    "null": ("cast(null as int)", "cast(null as int)"),
    "nan": ("double('nan')", "double('nan')"),
    "nan of a float": ("float('nan')", "double('nan')"),
    "infinity": ("double('inf')", "double('inf')"),
    "minus zero": ("-0.0D", "0.0D"),
    "decimal of another scale": ("cast(1.5 as decimal(10,2))", "cast(1.5 as decimal(12,4))"),
    "decimal and int": ("cast(7 as decimal(10,2))", "7"),
    "decimal and double": ("cast(1.1 as decimal(10,2))", "1.1D"),
    "int and bigint": ("7", "7L"),
    "text and int": ("'7'", "7"),
    "text and decimal": ("'1.50'", "cast(1.5 as decimal(10,2))"),
    "text and date": ("'2024-01-01'", "date'2024-01-01'"),
    "text and boolean": ("'true'", "true"),
    "text and binary": ("'é'", "cast('é' as binary)"),
    "date and timestamp": ("date'2024-01-01'", "timestamp'2024-01-01 00:00:00Z'"),
    "instant": ("timestamp'2024-01-01 12:00:00+02:00'", "timestamp'2024-01-01 10:00:00Z'"),
    "without zone": ("timestamp_ntz'2024-01-01 00:00:00'", "timestamp'2024-01-01 00:00:00Z'"),
    "void": ("null", "cast(null as string)"),
    "void and map": ("null", "cast(null as map<int,int>)"),
    "map in any order": ("map('a', 1, 'b', 2)", "map('b', 2, 'a', 1)"),
    "map of other numbers": ("map('a', 1)", "map('a', 1L)"),
    "map in a struct in an array": (
        "array(named_struct('m', map('a', 1, 'b', cast(null as int))))",
        "array(named_struct('m', map('b', cast(null as int), 'a', 1)))",
    ),
    "map of maps": ("map(1, map(2, 3, 4, 5))", "map(1, map(4, 5, 2, 3))"),
    "array of nulls and nan": ("array(double('nan'), null)", "array(double('nan'), null)"),
    "array of other numbers": ("array(1, null)", "array(1L, null)"),
    "struct of other order and case": (
        "named_struct('a', 1, 'B.c`', 'x')",
        "named_struct('b.C`', 'x', 'A', 1L)",
    ),
    "struct that is null": (
        "cast(null as struct<a:int>)", "cast(null as struct<a:int>)",
    ),
    "interval": ("interval '1' day", "interval '1' day"),
    "empty text": ("''", "''"),
}  # fmt: skip

# Pairs that differ.
DIFFERENT = {
    "null and a value": ("cast(null as int)", "0"),
    "nan and null": ("double('nan')", "cast(null as double)"),
    "large whole numbers": ("9007199254740993L", "9007199254740992L"),
    "text that is no number": ("'x'", "cast(null as int)"),
    "text with a time of day": ("'2024-01-01 10:00'", "date'2024-01-01'"),
    "text with more digits": ("'1.239'", "cast(1.24 as decimal(10,2))"),
    "date and another time": ("date'2024-01-01'", "timestamp'2024-01-01 00:00:00.000001Z'"),
    "blank at the end": ("'a'", "'a '"),
    "case": ("'a'", "'A'"),
    "binary": ("X'00ff'", "X'00fe'"),
    "value of a map": ("map('a', 1)", "map('a', 2)"),
    "map and a null": ("map('a', 1)", "map('a', cast(null as int))"),
    "order of an array": ("array(1, 2)", "array(2, 1)"),
    "field of a struct": ("named_struct('a', 1)", "named_struct('a', 2)"),
    "null struct": ("cast(null as struct<a:int>)", "named_struct('a', cast(null as int))"),
    # Both have the same hash.
    "null before": ("named_struct('a', cast(null as int), 'b', 1)",
                    "named_struct('a', 1, 'b', cast(null as int))"),
}  # fmt: skip

# Pairs of types without a common type.
INCOMPARABLE = {
    "boolean and int": ("true", "1"),
    "array and text": ("array('a')", "'a'"),
    "struct and map": ("named_struct('a', 1)", "map('a', 1)"),
    "decimals without room": ("cast(1 as decimal(38,0))", "cast(1 as decimal(38,30))"),
    "structs without a field in common": ("named_struct('a', 1)", "named_struct('b', 1)"),
    "date and int": ("date'2024-01-01'", "1"),
    "inside an array": ("array(true)", "array(1)"),
}


def pair_of_tables(spark, values):
    def table(side):
        columns = (f"{each[side]} as `{name.replace('`', '``')}`" for name, each in values.items())
        return spark.sql(f"select 1 as id, {', '.join(columns)}")

    return table(0), table(1)


def test_values_of_any_types(spark):
    columns, counts = compared(*pair_of_tables(spark, {**SAME, **DIFFERENT, **INCOMPARABLE}))
    changed = {columns.compared[at].name for at in counts.of_columns}
    assert changed == {*DIFFERENT}
    assert {pair.name for pair in columns.others if not pair.way} == {*INCOMPARABLE}
    assert counts["changed"] == 1


def test_examples_read_as_they_were_written(spark):
    values = {
        "map": ("map('b', 1, 'a', 2)", "map('a', 2)"),
        "text": ("'x'", "5"),
        "binary": ("X'00ff'", "X'01'"),
        "null": ("cast(null as string)", "'null'"),
        "long": (f"repeat('é', {rows.LONGEST * 3})", "''"),
        "a.b`c": ("1", "2"),
    }
    old, new = pair_of_tables(spark, values)
    columns, counts = compared(old, new)
    found = examples(old, new, columns, counts.of_columns, 3, True)
    shown = {columns.compared[at].name: (each.old, each.new) for at, (each,) in found.items()}
    assert shown == {
        "map": ("{a -> 2, b -> 1}", "{a -> 2}"),
        "text": ("x", "5"),
        "binary": ("0x00FF", "0x01"),
        "null": (None, "null"),
        "long": ("é" * (rows.LONGEST + 1), ""),
        "a.b`c": ("1", "2"),
    }


def test_a_tolerance_applies_to_the_numbers_of_its_column_only(spark):
    old = spark.sql(
        "select explode(sequence(1, 6)) as id, 1.0D as near, cast(1 as decimal(9,2)) as exact,"
        " -9223372036854775808 as far, 1.0D as other"
    )
    new = old.selectExpr(
        "id",
        "case id when 1 then 1.01D when 2 then 1.02D when 3 then double('nan') when 4 then null"
        " when 5 then double('inf') else 1.0D end as near",
        "cast(if(id = 1, 1.5, 1) as decimal(12,4)) as exact",
        "9223372036854775807 as far",
        "if(id = 6, 1.001D, 1.0D) as other",
    )
    within = {"NEAR": "0.015D", "exact": "0.5D", "far": "1.0D"}
    columns, counts = compared(old, new, tolerances=within)
    named = {columns.compared[at].name: number for at, number in counts.of_columns.items()}
    assert named == {"near": 4, "far": 6, "other": 1}
    del within["far"]
    _, counts = compared(old, new, tolerances=within, ignored=["FAR"])
    assert (counts["within_tolerance"], counts["changed"]) == (1, 5)


# ---- rows, compared with a reference in Python

KEYS = st.tuples(st.sampled_from([None, 1, 2, 3, 4, 5]), st.sampled_from(["x", "y", None]))
VALUES = st.tuples(
    st.sampled_from([0.0, -0.0, 1.0, math.nan, None]),
    st.sampled_from(["a", "b", None]),
    st.sampled_from([None, {}, {"p": 1, "q": 2}, {"q": 2, "p": 1}, {"p": None}]),
    st.sampled_from([[], [1.0], [math.nan, None], [1.0, 0.0], None]),
    st.sampled_from([Decimal("1.50"), Decimal("-2"), None]),
    st.sampled_from([1.0, 1.25, 1.5, 2.0, None]),  # equal within 0.25
)
TYPES = "d double, s string, m map<string,int>, a array<double>, n decimal({}), near double"
NEAR = 5
TABLE = st.lists(st.tuples(KEYS, VALUES), max_size=60)


def plain(value):
    """Return a value as a tuple that compares and sorts as in Spark."""
    if value is None:
        return (0,)
    if isinstance(value, float):
        return (1, (1, 0.0)) if math.isnan(value) else (1, (0, value + 0.0))
    if isinstance(value, dict):
        return (1, tuple(sorted((plain(key), plain(each)) for key, each in value.items())))
    if isinstance(value, list):
        return (1, tuple(map(plain, value)))
    return (1, value)


def differing(old, new):
    """Return the positions of the values that differ."""
    found = [at for at, pair in enumerate(zip(old, new, strict=True)) if pair[0] != pair[1]]
    if NEAR in found and old[NEAR] != (0,) != new[NEAR]:
        is_near = abs(old[NEAR][1][1] - new[NEAR][1][1]) <= 0.25
        return [at for at in found if not (is_near and at == NEAR)]
    return found


def closest(old: Counter, new: Counter):
    """Find the closest pair among the unmatched rows of a key.

    Returns:
        The positions at which the pair differs. None unless one side has exactly one unmatched row
        and the other has some.
    """
    if sum(new.values()) == 1 and old:
        pairs = [(one, *new) for one in old]
    elif sum(old.values()) == 1 and new:
        pairs = [(*old, other) for other in new]
    else:
        return None
    return min((len(differing(*pair)), pair, differing(*pair)) for pair in pairs)[2]


def expected(old, new):
    """Compute the counts of a comparison in Python, key by key."""
    tables = defaultdict(lambda: (Counter(), Counter()))
    for side, table in enumerate((old, new)):
        for key, values in table:
            tables[key][side][tuple(map(plain, values))] += 1
    of_rows, of_columns = Counter(), Counter()
    for key, (one, other) in tables.items():
        sizes = sum(one.values()), sum(other.values())
        left = one - other, other - one
        spare = [sum(each.values()) for each in left]
        pair = closest(*left)
        of_rows["same"] += sum((one & other).values())
        of_rows["both_keys"] += all(sizes)
        of_rows["unmatched_keys"] += min(spare) > 1
        if pair is not None:
            of_rows["changed" if pair else "within_tolerance"] += 1
            of_columns.update(pair)
        for side, name in enumerate(("old", "new")):
            of_rows[f"{name}_rows"] += sizes[side]
            of_rows[f"{name}_keys"] += sizes[side] > 0
            of_rows[f"{name}_repeated"] += sizes[side] > 1
            of_rows[f"{name}_null_keys"] += sizes[side] * (None in key)
            alone = sizes[side] if not sizes[1 - side] else 0
            more = spare[side] - (pair is not None) if sizes[1 - side] else 0
            of_rows[f"only_{name}_rows"] += alone
            of_rows[f"only_{name}_keys"] += alone > 0
            of_rows[f"more_{name}_rows"] += more
            of_rows[f"more_{name}_keys"] += more > 0
    return {name: of_rows[name] for name in rows.COUNTS}, dict(of_columns)


@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(old=TABLE, fresh=TABLE, kept=st.integers(0, 60))
def test_counts_equal_those_computed_in_python(spark, old, fresh, kept):
    new = [*old[:kept], *fresh[kept:]]

    def frame(table, scale):
        schema = f"k int, l string, {TYPES.format(scale)}"
        return spark.createDataFrame([(*key, *values) for key, values in table], schema)

    tables = frame(old, "10,2"), frame(new, "12,4")
    _, counts = compared(*tables, key=("L", "k"), tolerances={"near": "0.25D"})
    assert (counts.of_rows, counts.of_columns) == expected(old, new)


def test_the_reference_finds_each_kind():
    row = (1.0, "a", None, None, None, 1.0)
    other = (2.0, "a", None, None, None, 1.1)
    keys = [(number, "x") for number in range(4)]
    old = [(keys[0], row), (keys[1], row), (keys[2], row), (keys[2], other), (keys[3], row)]
    new = [(keys[0], row), (keys[1], other), (keys[2], (*row[:5], 1.2)), ((None, "x"), row)]
    counts, of_columns = expected(old, new)
    there = {name: number for name, number in counts.items() if number}
    assert there == {
        "old_rows": 5, "new_rows": 4, "old_keys": 4, "new_keys": 4, "both_keys": 3,
        "old_repeated": 1, "only_old_rows": 1, "only_old_keys": 1, "only_new_rows": 1,
        "only_new_keys": 1, "more_old_rows": 1, "more_old_keys": 1, "same": 1,
        "within_tolerance": 1, "changed": 1, "new_null_keys": 1,
    }  # fmt: skip
    assert of_columns == {0: 1}


def test_examples_are_the_first_ones_by_the_key(spark):
    old = spark.range(20).selectExpr("id", "id as v")
    new = spark.range(10, 30).selectExpr("id", "if(id < 13, -1, id) as v")
    columns, counts = compared(old, new)
    found = examples(old, new, columns, counts.of_columns, 2, True)
    assert {at: [each.key for each in of] for at, of in found.items()} == {
        0: [["10"], ["11"]],
        ONLY_OLD: [["0"], ["1"]],
        ONLY_NEW: [["20"], ["21"]],
    }
    hidden = examples(old, new, columns, [0], 2, shows_key=False)
    assert {at: [each.key for each in of] for at, of in hidden.items()} == {0: [None, None]}
    assert examples(old, new, columns, [], 2, shows_key=False) == {}


@pytest.mark.parametrize("width", [120, pytest.param(500, marks=pytest.mark.full)])
def test_each_table_is_read_once_for_any_width(spark, width):
    """The comparison takes one shuffle of the rows and one of the counts."""
    names = [f"v{number}" for number in range(width)]
    old = spark.range(50).selectExpr("id", *(f"id as {name}" for name in names))
    new = old.selectExpr("id", *(f"if(id = 7, -1, {name}) as {name}" for name in names))
    with work_of(spark) as work:
        columns, counts = compared(old, new)
    assert len(counts.of_columns) == width and counts["changed"] == 1
    assert 0 < work.jobs <= 4
    keyed = rows._keyed(old, new, columns)
    plan = keyed._jdf.queryExecution().sparkPlan().toString()
    assert plan.count("Range (") == 2
    executed = keyed._jdf.queryExecution().executedPlan().toString()
    assert executed.count("Exchange") == 1


# ---- columns


def test_columns_are_matched_in_any_case_and_told_apart(spark):
    old = spark.sql("select 1 as ID, 1 as Same, 1 as only_here, 1 as retyped, 1 as skipped")
    new = spark.sql("select 1 as id, 1 as sAME, 'x' as there, 1L as retyped, 2 as SKIPPED")
    columns = match(old.schema, new.schema, ["iD"], {}, ["skipped"])
    assert [pair.name for pair in columns.keys] == ["id"]
    assert columns.only_old == [("only_here", "int")]
    assert columns.only_new == [("there", "string")]
    assert [pair.name for pair in columns.retyped] == ["retyped"]
    assert [pair.name for pair in columns.others] == ["sAME", "retyped"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            {"key": ["nix"]},
            "neither table has nix: choose a --key that both tables have: id,",
        ),
        ({"key": ["a"]}, "only the old table has a"),
        ({"key": ["b"]}, "only the new table has b"),
        ({"key": ["odd"]}, "odd is boolean in the old table and int in the new one"),
        ({"tolerances": {"v": "1.0D"}}, "--tolerance v: a string has no distance"),
        ({"tolerances": {"a": "1.0D"}}, "--tolerance a: the tables share no such column"),
        ({"ignored": ["nix"]}, "--ignore nix: neither table has such a column"),
        ({"ignored": ["ID"]}, "id is a part of the key"),
    ],
)
def test_name_of_a_missing_column_is_reported(spark, asked, said):
    old = spark.sql("select 1 as id, 'x' as v, true as odd, 1 as a").schema
    new = spark.sql("select 1 as id, 'x' as v, 1 as odd, 1 as b").schema
    wanted = {"key": ["id"], "tolerances": {}, "ignored": (), **asked}
    with pytest.raises(CannotCompare, match=said):
        match(old, new, **wanted)


# ---- the grain of a table

EVENTS = """
select concat('C', id % 11) as car, concat('e', id) as event_id, id % 3 as part,
    cast(id as double) as reading, id div 11 as visit, map('a', id) as m
from range(101)
"""


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        (["car", "reading", "event_id", "m"], Grain(["event_id"])),
        (["car", "part", "visit"], Grain(["car", "visit"])),
        (["car", "part", "reading"], Grain(["reading"])),
        (["car", "part"], Grain([], are_copies=True)),
        (["car", "m"], Grain([])),
    ],
)
def test_the_grain_of_a_table(spark, columns, found):
    assert grain(spark.sql(EVENTS).select(columns), [0]) == found


def test_a_column_that_is_unique_in_a_sample_is_read_as_a_whole(spark):
    """The column is unique within the sampled key values, but not elsewhere."""
    table = spark.sql("select id div 2000 as k, if(id < 4000, id % 2000, 1) as v from range(8000)")
    assert grain(table, [0]).columns == []
