"""The Athena gate for SQL agrees with a real Trino on functions and on SQL."""

import pytest

from python_jobs.athena_gate import trino_sql
from python_jobs.athena_gate.trino_sql import problems_of
from tests.support.athena_front.errors import QueryFailed
from tests.support.trino_functions import SHOW, UNLISTED, functions_of, renewed

pytestmark = pytest.mark.engines

# Both judge each query. TABLE defines the columns that the queries use.
TABLE = """with t (a, b, i, n, day, texts) as (
    select '1', 'x', 1, 1e0, date '2026-01-15', map(array['a.b'], array['x'])
) """
TAKEN = [
    "select cast(a as timestamp(6)) as a, timestamp '2026-01-15 00:00:00' as b from t",
    "select try(json_parse(a)) as a, coalesce(b, 'x') as b, current_date as c from t",
    "select none_match(array[a], one -> one in ('{', 'n')) as a, texts['a.b'] as b from t",
    "select nullif(a, b) as a, if(i > 1, a) as b, try_cast(a as integer) as c from t",
]
REFUSED = [
    "select a rlike 'x' as a from t",
    "select a <=> b as a from t",
    "select `a` from t",
    "select explode(a) from t lateral view explode(b) c as d",
    "select cast(a as struct<b:int>) as a from t",
    "select get_json_object(a, '$') as a from t",
    "select sha2(a, 256) as a from t",
    "select datediff(a, b) as a from t",
    "select size(a) as a from t",
    "select left(a, 3) as a from t",
]


@pytest.mark.parametrize("sql", TAKEN)
def test_what_both_take(athena, sql):
    assert list(problems_of(TABLE + sql)) == []
    athena.validate(TABLE + sql, "default")


@pytest.mark.parametrize("sql", REFUSED)
def test_what_both_refuse(athena, sql):
    assert list(problems_of(TABLE + sql)) != []
    with pytest.raises(QueryFailed):
        athena.validate(TABLE + sql, "default")


@pytest.mark.parametrize("name", UNLISTED)
def test_what_the_server_does_not_list(athena, name):
    athena.validate(f"select {UNLISTED[name]} as a", "default")


def test_the_list_of_functions_is_the_servers(athena):
    """To update the list, run `uv run --group test python -m tests.support.trino_functions`."""
    names = functions_of(athena.trino(SHOW, "default"))
    assert trino_sql.FUNCTIONS.read_text(encoding="utf-8") == renewed(names)
    # A function that is new on the server is listed as refused. One that is gone is removed.
    assert "!no_such_function_yet" in renewed({*names, "no_such_function_yet"}).splitlines()
    assert "abs" not in renewed(names - {"abs"}).splitlines()
