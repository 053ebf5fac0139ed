"""Keys are proven or refuted from Spark's query plans, without reading data.

Each case is a query on the tables `t` with the key id, `u` with the key (a, b), and `w` with the
key a. The tables hold whatever their keys allow, so the rows reveal a wrong claim.
"""

import random
import re
from collections import Counter

import pytest
from dbt_spark_contracts import spark_plan
from dbt_spark_contracts.plan import nodes
from dbt_spark_contracts.plan.fan_out import fan_outs
from dbt_spark_contracts.plan.multiplicity import Table, finer
from dbt_spark_contracts.plan.uniqueness import Uniqueness
from pyspark.sql import functions as F

from tests.support.random_plans import KEYS, TABLES, RandomPlans
from tests.support.spark_work import counted

PROVEN, UNKNOWN = "proven", "unknown"

# Each case: a query, the columns of a key, and the expected result. That is proven, unknown, or for
# a refuted key the columns that there is one row per.
QUERIES = {
    # Keys promised by a table
    "carried on": ("select id, a from t", "id", PROVEN),
    "renamed": ("select id as x, a from t", "x", PROVEN),
    "with more": ("select id, a from t", "id a", PROVEN),
    "of two columns": ("select a, b from u", "a b", PROVEN),
    "half of two": ("select a, b, v from u", "a", "a b"),
    "not handed on": ("select a, b from t", "a", "id"),
    "another column": ("select id, a from t", "a", "id"),
    "a constant": ("select id, 1 as x from t", "x", "id"),
    "an alias with the table's name": ("select v as id from u as t", "id", "a b"),
    "a view": ("select * from (select id, b from t) v", "id", PROVEN),
    "a state of the table": ("select a from t version as of {snapshot}", "a", "id"),
    "its files": ("select file_path from t.files", "file_path", UNKNOWN),
    "what promises nothing": ("select id from values (1), (1) as v(id)", "id", UNKNOWN),
    # Expressions that keep distinct values distinct, and ones that may not
    "cast to text": ("select cast(id as string) as x from t", "x", PROVEN),
    "cast to less": ("select cast(id as tinyint) as x from t", "x", UNKNOWN),
    "cast of two types": ("select cast(cast(id as double) as float) as x from t", "x", UNKNOWN),
    "a hash": ("select sha2(cast(id as string), 256) as x from t", "x", PROVEN),
    "a hash of two": ("select sha2(to_json(struct(a, b)), 256) as x from u", "x", PROVEN),
    "a hash of one of two": ("select sha2(to_json(struct(a)), 256) as x from u", "x", "a b"),
    "a hash with a separator": ("select sha2(concat_ws('|', a, b), 256) as x from u", "x", UNKNOWN),
    "a hash of no known length": (
        "select v from u where sha2(cast(a as string), 7) is null and b = 'x'",
        "v",
        UNKNOWN,
    ),
    "a short hash": ("select crc32(cast(id as string)) as x from t", "x", UNKNOWN),
    "one name twice in JSON": (
        "select to_json(struct(a as n, b as n)) as x from u",
        "x",
        UNKNOWN,
    ),
    "a struct": ("select struct(a, b) as x from u", "x", PROVEN),
    "coalesce": ("select coalesce(id, 0) as x from t", "x", UNKNOWN),
    "coalesce, or an error": (
        "select coalesce(id, cast(raise_error('no id') as int)) as x from t",
        "x",
        PROVEN,
    ),
    "coalesce, or an error, of another": (
        "select coalesce(a, cast(raise_error('no a') as int), 0) as x from t where a is not null",
        "x",
        "id",
    ),
    "upper": ("select upper(b) as x from u", "x", "a b"),
    "uuid": ("select uuid() as x, a from t", "x", UNKNOWN),
    # Filters
    "a filter": ("select id from t where a > 1", "id", PROVEN),
    "a filter of other columns": ("select a from t where b = 'x' and a is not null", "a", UNKNOWN),
    "a filter of the key": ("select a from t where id = 1", "a", PROVEN),
    "not null": ("select a from t where a is not null", "a", "id"),
    "a flag": ("select a from t where f", "a", UNKNOWN),
    "a filter by a function": ("select a from t where hash(id) = 1", "a", UNKNOWN),
    "a constant half": ("select a, v from u where b = 'x'", "a", PROVEN),
    "a half that is null": ("select a, v from u where b is null", "a", PROVEN),
    "a half that is equal": ("select a, v from u where b = cast(a as string)", "a", PROVEN),
    "a half that is random": ("select a from u where b = cast(rand() as string)", "a", UNKNOWN),
    "in a list": ("select a from u where b in ('x', 'y')", "a", UNKNOWN),
    "or": ("select a from u where b = 'x' or v = 1", "a", UNKNOWN),
    "empty": ("select a from (select * from t where false limit 0)", "a", "id"),
    "limit 1": ("select a from t limit 1", "a", PROVEN),
    "limit 2": ("select a from t limit 2", "a", UNKNOWN),
    "a sample": ("select id from t tablesample (50 percent)", "id", PROVEN),
    # Groups
    "group": ("select a, count(*) as n from t group by a", "a", PROVEN),
    "group of two": ("select a, b, max(id) from t group by a, b", "a b", PROVEN),
    "part of the groups": ("select a, b, max(id) from t group by a, b", "a", "a b"),
    "group not handed on": ("select b, count(*) from t group by a, b", "b", "a b"),
    "group by an expression": ("select upper(b) as x from t group by upper(b)", "x", PROVEN),
    "group by an expression too": (
        "select a, upper(b) as x from t group by a, upper(b)",
        "a",
        "a x",
    ),
    "group by what it decides": ("select a from u group by a, a + 1", "a", PROVEN),
    "an aggregate": ("select max(id) as x from t group by a", "x", UNKNOWN),
    "of all": ("select max(a) as x from t", "x", PROVEN),
    "having": ("select a from t group by a, b having count(*) > 1", "a", UNKNOWN),
    "groups of groups": (
        "select a, n, count(*) from (select a, b, f as n from t group by a, b, f) group by a, n",
        "a",
        "a n",
    ),
    "groups of one row": ("select id, a from t group by id, a", "id", PROVEN),
    "rollup": ("select a, count(*) from t group by rollup (a)", "a", UNKNOWN),
    "rollup, and its level": (
        "select a, grouping_id() as g, count(*) from t group by rollup (a)",
        "a g",
        PROVEN,
    ),
    "distinct": ("select distinct a, b from t", "a b", PROVEN),
    "distinct, part": ("select distinct a, b from t", "a", "a b"),
    # Windows
    "row number": (
        "select * from (select *, row_number() over (partition by a order by id) as r from t) "
        "where r = 1",
        "a",
        PROVEN,
    ),
    "row number, in words": (
        "select * from (select *, row_number() over (partition by a order by id) as r from t) "
        "where r < 2 and a is not null",
        "a",
        PROVEN,
    ),
    "qualify by an expression": (
        "select x from (select upper(b) as x, "
        "row_number() over (partition by upper(b) order by id) as r from t) where r = 1",
        "x",
        PROVEN,
    ),
    "row number, two": (
        "select * from (select *, row_number() over (partition by a order by id) as r from t) "
        "where r <= 2",
        "a",
        UNKNOWN,
    ),
    "row number, with it": (
        "select a, row_number() over (partition by a order by id) as r from t",
        "a r",
        PROVEN,
    ),
    "row number, not asked": (
        "select a, row_number() over (partition by a order by id) as r from t",
        "a",
        "id",
    ),
    "rank": (
        "select * from (select *, rank() over (partition by a order by b) as r from t) where r = 1",
        "a",
        UNKNOWN,
    ),
    "row number of finer parts": (
        "select * from (select *, row_number() over (partition by a, b order by id) as r from t) "
        "where r = 1",
        "a",
        UNKNOWN,
    ),
    "the best rank, without ties": (
        "select * from (select *, rank() over (partition by a order by b, id) as r from t) "
        "where r = 1",
        "a",
        PROVEN,
    ),
    "the best rank, in words": (
        "select * from (select *, dense_rank() over (partition by a order by id desc) as r "
        "from t) where r <= 1",
        "a",
        PROVEN,
    ),
    "a rank by what does not tell the key": (
        "select * from (select *, rank() over (partition by a order by id % 2) as r from t) "
        "where r = 1",
        "a",
        UNKNOWN,
    ),
    "row number, in a list of one": (
        "select * from (select *, row_number() over (partition by a order by id) as r from t) "
        "where r in (1)",
        "a",
        PROVEN,
    ),
    "row number, in a list of two": (
        "select * from (select *, row_number() over (partition by a order by id) as r from t) "
        "where r in (1, 2)",
        "a",
        UNKNOWN,
    ),
    "joined after the rank": (
        "select x.a from (select a, row_number() over (partition by a order by id) as r from t) x "
        "join u on x.a = u.a where r = 1",
        "a",
        UNKNOWN,
    ),
    # Joins
    "to one row": ("select t.id, w.b from t join w on t.a = w.a", "id", PROVEN),
    "to one row or none": ("select t.id, w.b from t left join w on t.a = w.a", "id", PROVEN),
    "from the right": ("select t.id, w.b from w right join t on t.a = w.a", "id", PROVEN),
    "to several": ("select t.id, u.b from t join u on t.a = u.a", "id", UNKNOWN),
    "to several or none": ("select t.id, u.v from t left join u on t.a = u.a", "id", UNKNOWN),
    "to several, with theirs": (
        "select t.id, u.b from t join u on t.a = u.a",
        "id b",
        PROVEN,
    ),
    "to one by a constant": (
        "select t.id from t join u on t.a = u.a and u.b = 'x'",
        "id",
        PROVEN,
    ),
    "the other side's key": ("select w.a from t join w on t.a = w.a", "a", UNKNOWN),
    "of two keys": ("select w.a, v.b from w join w as v on w.a = v.a", "a", PROVEN),
    "full": ("select t.id, w.b from t full join w on t.a = w.a", "id", UNKNOWN),
    "semi": ("select id from t left semi join u on t.a = u.a", "id", PROVEN),
    "anti": ("select id from t left anti join u on t.a = u.a", "id", PROVEN),
    "in": ("select a from w where a in (select a from t)", "a", PROVEN),
    "cross": ("select t.id, w.a from t cross join w", "id a", PROVEN),
    "cross, half": ("select t.id, w.a from t cross join w", "id", "a"),
    "not equal": ("select t.id from t join w on t.a > w.a", "id", UNKNOWN),
    "those without a match": (
        "select t.id from t left join u on t.a = u.a where u.a is null",
        "id",
        PROVEN,
    ),
    "those without a match or a value": (
        "select t.id from t left join u on t.a = u.a where u.v is null",
        "id",
        UNKNOWN,
    ),
    "those without a match, or with both null": (
        "select t.id from t left join u on t.a <=> u.a where u.a is null",
        "id",
        UNKNOWN,
    ),
    "those without a match of two": (
        "select t.id from t left join u on t.a = u.a or t.b = u.b where u.a is null",
        "id",
        UNKNOWN,
    ),
    "a filter that needs a match": (
        "select t.id as x, t.a from t left join u on t.a = u.a where u.v is not null",
        "a",
        UNKNOWN,
    ),
    "with an aggregate": (
        "select t.id, s.n from t left join (select a, count(*) as n from u group by a) s "
        "on t.a = s.a",
        "id",
        PROVEN,
    ),
    "lateral": (
        "select t.id, x.b from t, lateral (select b from u where u.a = t.a) x",
        "id",
        UNKNOWN,
    ),
    # Sets, generators, CTEs
    "union": ("select id from t union all select id from t", "id", UNKNOWN),
    "union of others": ("select a from w union all select a from t", "a", "id"),
    "union, tagged": (
        "select id, 'x' as tag from t union all select id, 'y' as tag from t",
        "id tag",
        PROVEN,
    ),
    "union, tagged alike": (
        "select id, 'x' as tag from t union all select id, 'x' as tag from t",
        "id tag",
        UNKNOWN,
    ),
    "union, by a filter": (
        "select a, b from u where b = 'x' union all select a, b from u where b = 'y'",
        "a b",
        PROVEN,
    ),
    "union distinct": ("select id from t union select id from t", "id", PROVEN),
    "except": ("select id from t except select a from w", "id", PROVEN),
    "explode": ("select id, x from t lateral view explode(array(a, a)) as x", "id x", UNKNOWN),
    "posexplode": (
        "select id, p from t lateral view posexplode(array(a, a)) as p, x",
        "id p",
        PROVEN,
    ),
    "posexplode, half": (
        "select id, p from t lateral view posexplode(array(a, a)) as p, x",
        "id",
        UNKNOWN,
    ),
    "a sequence": ("select explode(sequence(1, 3)) as x", "x", PROVEN),
    "a sequence of days for each row": (
        "select w.a, d from w cross join (select explode(sequence(date '2026-01-01', "
        "date '2026-03-01', interval 1 month)) as d)",
        "a d",
        PROVEN,
    ),
    "a sequence of each row": (
        "select id, x from t lateral view explode(sequence(1, a)) v as x",
        "x",
        UNKNOWN,
    ),
    "a sequence that comes back": (
        "select id, x from t lateral view explode(sequence(timestamp '2026-02-01', timestamp "
        "'2026-04-01', make_interval(0, 1, 0, -30))) v as x",
        "id x",
        UNKNOWN,
    ),
    "cte": ("with c as (select id, a from t) select id as x from c where a = 1", "x", PROVEN),
    "cte twice": (
        "with c as (select a from w) select l.a from c l join c r on l.a = r.a",
        "a",
        PROVEN,
    ),
    # With collect_list, whose order is not deterministic
    "a group beside a list": (
        "select a, upper(b) as x, collect_list(id) as l from t group by a, upper(b)",
        "a x",
        PROVEN,
    ),
    "a month or an error beside a list": (
        "select a, coalesce(date_format(date_add(date '2026-01-01', id), 'yyyy-MM'), "
        "raise_error('no'), '') as x, collect_list(b) as l from t group by a, "
        "coalesce(date_format(date_add(date '2026-01-01', id), 'yyyy-MM'), raise_error('no'), '')",
        "a x",
        PROVEN,
    ),
    "a list by chance": (
        "select x, collect_list(a) as l from (select a, cast(rand() as string) as x from t) "
        "group by a, x",
        "x",
        UNKNOWN,
    ),
    # Grouping sets, null-safe joins, set operations
    "cube": ("select a, b, count(*) from t group by cube (a, b)", "a b", UNKNOWN),
    "grouping sets, and their level": (
        "select a, b, grouping_id() as g, count(*) from t group by a, b grouping sets ((a), (b))",
        "a b g",
        PROVEN,
    ),
    "to one row or to nulls": ("select t.id from t join w on t.a <=> w.a", "id", PROVEN),
    "intersect all": ("select id from t intersect all select a from w", "id", PROVEN),
    "except all": ("select id from t except all select a from w", "id", PROVEN),
    "stack": ("select stack(2, id, id) as x from t", "x", UNKNOWN),
    "a number of all": (
        "select a from (select *, row_number() over (order by id) as r from t) where r = 1",
        "a",
        PROVEN,
    ),
    "a dense rank with ties": (
        "select * from (select *, dense_rank() over (partition by a order by f) as r from t) "
        "where r = 1",
        "a",
        UNKNOWN,
    ),
    "a sequence or a null": (
        "select id, x from t lateral view outer explode(sequence(1, 2)) v as x",
        "id x",
        PROVEN,
    ),
    "a timestamp to a date": (
        "select cast(cast(id as timestamp) as date) as x from t",
        "x",
        UNKNOWN,
    ),
    "a text to a number": ("select cast(b as int) as x from u where a = 1", "x", UNKNOWN),
    "a float": ("select cast(id as float) as x from t", "x", UNKNOWN),
    "a float to a text": (
        "select distinct string(x) as y from (select distinct cast(a as float) as x from t)",
        "y",
        PROVEN,
    ),
    "groups of what floats count as equal": (
        "select cast(x as string) as y from (select distinct cast(a as float) * -0.0f as x from t)",
        "y",
        UNKNOWN,
    ),
    "in an array": ("select array(id) as x from t", "x", UNKNOWN),
    "in lower case": ("select lower(b) as x from u where a = 1", "x", UNKNOWN),
    "to one row of a limit": (
        "select t.id from t cross join (select * from u limit 1) l",
        "id",
        PROVEN,
    ),
    "to two rows of a limit": (
        "select t.id from t cross join (select * from u limit 2) l",
        "id",
        UNKNOWN,
    ),
    # Queries that only seem to keep values distinct, or to leave one row
    "JSON with a format": (
        "select to_json(struct(d), map('dateFormat', 'yyyy')) as x "
        "from (select distinct date_add(date '2026-01-01', id) as d from t)",
        "x",
        UNKNOWN,
    ),
    "JSON of a date": (
        "select to_json(struct(d)) as x "
        "from (select distinct date_add(date '2026-01-01', id) as d from t)",
        "x",
        UNKNOWN,
    ),
    "a number of a row, or something else": (
        "select * from (select *, row_number() over (partition by a order by id) as r from t) "
        "where r = 1 or f",
        "a",
        UNKNOWN,
    ),
    "a number of a row after a union": (
        "select a from (select a, row_number() over (partition by a order by id) as r from t "
        "union all select a, 1 as r from w) where r = 1",
        "a",
        UNKNOWN,
    ),
    "a limit with an offset": ("select a from t order by id limit 1 offset 1", "a", PROVEN),
    "a limit of each branch": (
        "(select a from t order by id limit 1) union all (select a from t order by id limit 1)",
        "a",
        UNKNOWN,
    ),
    "union, tagged by null": (
        "select id, 'x' as tag from t union all select id, null as tag from t",
        "id tag",
        UNKNOWN,
    ),
    "union, tagged by other types": (
        "select id, 1 as tag from t union all select id, 1L as tag from t",
        "id tag",
        UNKNOWN,
    ),
    "union, tagged by texts that are one number": (
        "select id, int('1') as tag from t union all select id, int('01') as tag from t",
        "id tag",
        UNKNOWN,
    ),
    "distinct structs": ("select distinct struct(a, b) as s from t", "s", PROVEN),
    "a field of distinct structs": (
        "select s.a as x from (select distinct struct(a, b) as s from t)",
        "x",
        UNKNOWN,
    ),
    "sets of groups": (
        "select a, count(*) from t group by grouping sets ((a), (a, b))",
        "a",
        UNKNOWN,
    ),
    "full, of one side": (
        "select t.id from t full join w on t.a = w.a where t.id is not null",
        "id",
        UNKNOWN,
    ),
    "using": ("select a, w.b from w left join w as v using (a)", "a", PROVEN),
    "full using": ("select a from w full join u using (a)", "a", UNKNOWN),
    "an entry of a map": (
        "select id, k from t lateral view explode(map(1, a, 2, a)) v as k, x",
        "id k",
        UNKNOWN,
    ),
    "a pivot": (
        "select * from (select a, b, v from u) pivot (sum(v) for b in ('x' as x, 'y' as y))",
        "a",
        PROVEN,
    ),
    "an unpivot": (
        "select a, name from (select a, v, a as z from u) unpivot (x for name in (v, z))",
        "a name",
        UNKNOWN,
    ),
    "lower case in other letters": ("select ID as X from t", "X", PROVEN),
    "groups of a hash": ("select md5(string(a)) as x from t group by a", "x", UNKNOWN),
    "a semi join by a hash": (
        "select a from w left semi join t on crc32(string(w.a)) = crc32(string(t.a))",
        "a",
        PROVEN,
    ),
    "one group": ("select 1 as x from t group by 'k'", "x", PROVEN),
    "cte refuted": ("with c as (select a, b from t) select a as x from c", "x", "id"),
}


@pytest.fixture(scope="module")
def known(spark, module_schema) -> dict[str, Table]:
    """Create the tables, and return them with their promised keys."""
    for statement in TABLES.format(schema=module_schema).split(";"):
        if statement.strip():
            spark.sql(statement)
    return {
        f"lakehouse.{module_schema}.{name}": Table(name, [frozenset(key) for key in keys])
        for name, keys in KEYS.items()
    }


def with_tables(query: str, schema: str) -> str:
    """Return the query with the schema added to each table name after from, join or a comma."""
    return re.sub(r"\b(from|join|,) ([tuw])\b", rf"\1 {schema}.\2", query)


def judged(frame, positions, known) -> tuple[bool, tuple[str, ...] | None]:
    """Return whether the key is proven and, if it is refuted, the columns of the actual key."""
    plan = nodes.analyzed_plan(frame)
    is_deterministic = spark_plan.is_deterministic(frame)
    keys = {name: table.promised for name, table in known.items()}
    rows = finer(plan, positions, known, is_deterministic)
    proven = Uniqueness(plan, keys, is_deterministic).is_proven(positions)
    return proven, rows.columns if rows else None


def has_two_of_one(frame, positions) -> bool:
    """Return whether two rows share a key. Nulls count as equal."""
    columns = [frame.columns[at] for at in positions]
    return frame.groupBy(*columns).count().where("count > 1").limit(1).count() > 0


@pytest.mark.parametrize("case", QUERIES)
def test_a_query(spark, known, module_schema, case):
    query, key, expected = QUERIES[case]
    snapshot = spark.sql(f"select snapshot_id from {module_schema}.t.snapshots").first()[0]
    frame = spark.sql(with_tables(query.format(snapshot=snapshot), module_schema))
    positions = [frame.columns.index(name) for name in key.split()]
    proven, rows = judged(frame, positions, known)
    found = PROVEN if proven else " ".join(rows) if rows else UNKNOWN
    assert found == expected
    if proven:
        assert not has_two_of_one(frame, positions)
    elif rows and case != "empty":
        assert has_two_of_one(frame, positions)


# Cases with nullable keys: a query, the columns of the key, and whether it is proven.
WITH_NULLS = {
    "carried on": ("select id as x from t", "x", True),
    "a hash": ("select sha2(cast(id as string), 256) as x from t", "x", True),
    "a hash of two": ("select sha2(to_json(struct(a, b)), 256) as x from u", "x", False),
    "a struct": ("select struct(a) as x from w", "x", False),
    "equal": ("select t.id from t join w on t.a = w.a", "id", True),
    "equal, or both null": ("select t.id from t join w on t.a <=> w.a", "id", False),
    "null": ("select 'x' as x from t where id is null", "x", False),
    "half of it null": ("select b from u where a is null", "b", False),
}


@pytest.mark.parametrize("case", WITH_NULLS)
def test_a_key_that_may_hold_nulls(spark, known, module_schema, case):
    query, key, is_proven = WITH_NULLS[case]
    frame = spark.sql(with_tables(query, module_schema))
    plan = nodes.analyzed_plan(frame)
    keys = {name: table.promised for name, table in known.items()}
    positions = [frame.columns.index(name) for name in key.split()]
    proof = Uniqueness(plan, keys, is_deterministic=True, nulls_differ=True)
    assert proof.is_proven(positions) == is_proven


def test_it_costs_no_spark_job(spark, known, module_schema):
    frame = spark.table(f"{module_schema}.t").groupBy("a").count()
    with counted(spark) as proof:
        assert judged(frame, [0], known)[0]
    with counted(spark) as query:
        assert not has_two_of_one(frame, [0])
    assert proof.jobs == 0
    assert query.jobs > 0, "this is how a job is seen"


# Each case: a query, and its sums over rows that a join multiplies. A sum is given as the summed
# columns, the join columns, and the columns that there is one row per.
SUMS = {
    "multiplied": (
        "select t.b, sum(t.a) from t join u on t.a = u.a group by t.b",
        [("a", "a", "a b")],
    ),
    "multiplied, or not found": (
        "select t.b, sum(t.a + 1) from t left join u on t.a = u.a group by t.b",
        [("a", "a", "a b")],
    ),
    "by no column": ("select t.b, avg(t.a) from t cross join w group by t.b", [("a", "", "a")]),
    "below a filter": (
        "select b, sum(x) from (select t.b, t.a as x, u.v from t join u on t.a = u.a) "
        "where v > 0 group by b",
        [("a", "a", "a b")],
    ),
    "by the whole key": (
        "select t.b, sum(t.a) from t join u on t.a = u.a and t.b = u.b group by t.b",
        [],
    ),
    "of the finer side": ("select w.b, sum(u.v) from w join u on w.a = u.a group by w.b", []),
    "to one row": ("select t.b, sum(t.id) from t join w on t.a = w.a group by t.b", []),
    "of both sides": ("select t.b, sum(t.id * u.v) from t join u on t.a = u.a group by t.b", []),
    "distinct": ("select t.b, sum(distinct t.a) from t join u on t.a = u.a group by t.b", []),
    "a maximum": ("select t.b, max(t.a) from t join u on t.a = u.a group by t.b", []),
    "semi": ("select t.b, sum(t.a) from t left semi join u on t.a = u.a group by t.b", []),
    "one of them left": (
        "select b, sum(x) from (select t.b, t.id as x, row_number() over "
        "(partition by t.id order by u.v) as r from t join u on t.a = u.a) where r = 1 group by b",
        [],
    ),
    "summed before": (
        "select t.b, sum(t.id) from t join (select a, sum(v) from u group by a) s on t.a = s.a "
        "group by t.b",
        [],
    ),
}


@pytest.mark.parametrize("case", SUMS)
def test_a_sum_that_counts_a_row_several_times(spark, known, module_schema, case):
    query, expected = SUMS[case]
    frame = spark.sql(with_tables(query, module_schema))
    plan = nodes.analyzed_plan(frame)
    keys = {name: table.promised for name, table in known.items()}
    found = fan_outs(plan, known, Uniqueness(plan, keys, is_deterministic=True))
    told = [(each.summed, each.joined_by, each.rows.columns) for each in found]
    assert [tuple(" ".join(names) for names in each) for each in told] == expected


def test_an_alias_that_pretends_to_be_a_table(spark, known, module_schema):
    frame = spark.range(2).select(F.lit(1).alias("id"))
    for name in (f"lakehouse.{module_schema}.t", "t"):
        assert judged(frame.alias(name).select("id"), [0], known) == (False, None)


def test_a_frame_without_duplicates(spark, known, module_schema):
    frame = spark.table(f"{module_schema}.t").dropDuplicates(["a", "b"])
    assert judged(frame.select("a", "b"), [0, 1], known) == (True, None)
    assert judged(frame.select("a", "b"), [0], known) == (False, ("a", "b"))


def test_a_sample_that_repeats_rows(spark, known, module_schema):
    frame = spark.table(f"{module_schema}.t").sample(True, 3.0, 1)
    assert judged(frame.select("id"), [0], known)[0] is False


@pytest.mark.parametrize(
    "number", [40, pytest.param(1500, marks=pytest.mark.full)], ids=["some", "many"]
)
def test_any_plan(spark, known, module_schema, seed, number):
    """A proven key never has duplicates. A refuted key has some, on tables with enough rows."""
    said = Counter()
    for at in range(10 * number):
        # Forty random plans may have none that is refuted, so more follow until there is one.
        if at >= number and said["proven"] and said["refuted"]:
            break
        plans = RandomPlans(spark, module_schema, random.Random(seed + at))
        frame = plans.plan()
        positions = plans.key(frame)
        proven, rows = judged(frame, positions, known)
        said["proven" if proven else "refuted" if rows else "unknown"] += 1
        told = f"plan {at}, columns {positions}: {frame._jdf.queryExecution().analyzed()}"
        assert not (proven and rows), told
        if proven:
            assert not has_two_of_one(frame, positions), told
        elif rows and not plans.is_empty:
            assert has_two_of_one(frame, positions), told
    assert said["proven"] and said["refuted"]
