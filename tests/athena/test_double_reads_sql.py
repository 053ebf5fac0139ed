"""The test double of Athena parses SQL as Trino does, before Spark sees it."""

import pytest

from tests.support.athena_double import trino
from tests.support.athena_double.analysis import Analysis
from tests.support.athena_double.errors import InvalidRequest, NotInTheDouble, QueryFailed
from tests.support.athena_double.server import answer_call, athena_model
from tests.support.athena_double.types import check_iceberg_column, column_info, glue_type
from tests.support.athena_double.udfs import double_to_text, java_text

pytestmark = pytest.mark.quick

TABLE = {
    "car": "varchar",
    "km": "double",
    "trips": "bigint",
    "year": "integer",
    "at": "timestamp(6)",
    "seen": "timestamp(6) with time zone",
    "day": "date",
    "paid": "boolean",
    "tags": "array(varchar)",
    "owner": "row(name varchar, born date)",
}


def columns(sql: str) -> dict[str, str]:
    """The columns, as Trino types them, of a query on `cars`, the table above; translates it."""

    def columns_of(table):
        if table.name != "cars":
            raise QueryFailed("TABLE_NOT_FOUND", table.name)
        return TABLE

    statement = trino.read(sql)
    found = Analysis(columns_of).query(statement)
    trino.write(statement, lambda table: table)
    return found


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("'a'", "varchar"),
        ("1", "integer"),
        ("3000000000", "bigint"),
        ("1.50", "decimal(3, 2)"),
        ("1e0", "double"),
        ("null", "unknown"),
        ("year(at)", "bigint"),
        ("length(car)", "bigint"),
        ("count(*)", "bigint"),
        ("row_number() over (partition by car order by at desc)", "bigint"),
        ("coalesce(trips, 1)", "bigint"),
        ("coalesce(null, km, 1)", "double"),
        ("case when paid then day end", "date"),
        ("cast(car as timestamp)", None),
        ("timestamp '2026-01-15 12:00:00'", "timestamp(0)"),
        ("timestamp '2026-01-15 12:00:00.25'", "timestamp(2)"),
        ("cast(null as timestamp)", "timestamp(3)"),
        ("coalesce(at, timestamp '2026-01-15 12:00:00')", "timestamp(6)"),
        ("at || car", None),
        ("owner.born", "date"),
        ("cars.owner.name", "varchar"),
        ("array[1, trips]", "array(bigint)"),
        ("element_at(tags, 1)", "varchar"),
        ("cast(seen at time zone 'UTC' as timestamp(6))", "timestamp(6)"),
        ("none_match(tags, tag -> length(tag) > 3)", "boolean"),
        ("map(array['a'], tags)['a']", "varchar"),
        ("try(json_parse(car))", "json"),
        ("cast(json_parse(car) as array(json))", "array(json)"),
        ("(select max(km) from cars)", "double"),
    ],
)
def test_types_are_trinos(expression, kind):
    if kind is None:
        with pytest.raises(QueryFailed):
            columns(f"select {expression} as it from cars")
    else:
        assert columns(f"select {expression} as it from cars") == {"it": kind}


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        # Names that Spark, or sqlglot, would take
        ("nvl(car, 'a')", "FUNCTION_NOT_FOUND"),
        ("left(car, 1)", "FUNCTION_NOT_FOUND"),
        ("sha2(car, 256)", "FUNCTION_NOT_FOUND"),
        ("no_such_function(car)", "FUNCTION_NOT_FOUND"),
        ("colour", "COLUMN_NOT_FOUND"),
        ("owner.age", "COLUMN_NOT_FOUND"),
        ("cars.colour", "COLUMN_NOT_FOUND"),
        ("km as distance, distance + 1 as more", "COLUMN_NOT_FOUND"),
        # Arguments that Spark would cast
        ("concat(trips, ' trips')", "FUNCTION_NOT_FOUND"),
        ("length(trips)", "FUNCTION_NOT_FOUND"),
        ("lower(to_utf8(car))", "FUNCTION_NOT_FOUND"),
        ("sha256(car)", "FUNCTION_NOT_FOUND"),
        ("nullif(car)", "FUNCTION_NOT_FOUND"),
        ("year(car)", "FUNCTION_NOT_FOUND"),
        ("coalesce(car, 1)", "FUNCTION_NOT_FOUND"),
        (f"concat({', '.join(['car'] * 128)})", "TOO_MANY_ARGUMENTS"),
        ("count(distinct car, year)", "SYNTAX_ERROR"),
        # Types that Spark would cast
        ("car = 1", "TYPE_MISMATCH"),
        ("car in (1, 2)", "TYPE_MISMATCH"),
        ("trips = true", "TYPE_MISMATCH"),
        ("case when paid then car else 1 end", "TYPE_MISMATCH"),
        ("case when car then 1 end", "TYPE_MISMATCH"),
        ("paid and trips", "TYPE_MISMATCH"),
        ("at > '2026-01-15'", "TYPE_MISMATCH"),
        ("array[1, 'a']", "TYPE_MISMATCH"),
        ("cast(car as string)", "TYPE_NOT_FOUND"),
        # What the double does not know
        ("cast(car as real)", "NOT_IN_THE_DOUBLE"),
        ("cast(car as varchar(3))", "NOT_IN_THE_DOUBLE"),
        ("cast(null as time)", "NOT_IN_THE_DOUBLE"),
        ("cast(null as uuid)", "NOT_IN_THE_DOUBLE"),
        ("cast(car as decimal(10, 2))", "NOT_IN_THE_DOUBLE"),
        ("cast(km as varchar)", "NOT_IN_THE_DOUBLE"),
        ("cast(at as timestamp(3))", "NOT_IN_THE_DOUBLE"),
        ("cast(car as timestamp)", "NOT_IN_THE_DOUBLE"),
        ("cast(at as timestamp(9))", "NOT_IN_THE_DOUBLE"),
        ("cast(seen as timestamp(6))", "NOT_IN_THE_DOUBLE"),
        ("seen at time zone 'America/Sao_Paulo'", "NOT_IN_THE_DOUBLE"),
        ("km / 2", "NOT_IN_THE_DOUBLE"),
        ("interval '1' day", "NOT_IN_THE_DOUBLE"),
        ("current_timestamp", "NOT_IN_THE_DOUBLE"),
        ("date_trunc('decade', at)", "NOT_IN_THE_DOUBLE"),
        ("substr(car, -2)", "NOT_IN_THE_DOUBLE"),
        ("regexp_extract(car, '(a*)b', 1)", "NOT_IN_THE_DOUBLE"),
        ("json_extract(json_parse(car), '$[0]')", "NOT_IN_THE_DOUBLE"),
        ("try(date_add('day', 1, at))", "NOT_IN_THE_DOUBLE"),
        (
            "sum(km) over (order by at rows between 1 preceding and current row)",
            "NOT_IN_THE_DOUBLE",
        ),
        ("car rlike 'a'", "NOT_IN_THE_DOUBLE"),
        ("car like 'a'", "NOT_IN_THE_DOUBLE"),
        ("-1.5 + 0.25", "NOT_IN_THE_DOUBLE"),
        ("extract(year from at)", "SYNTAX_ERROR"),
        ("car, km as car", "NOT_IN_THE_DOUBLE"),
    ],
)
def test_refused(expression, error):
    with pytest.raises(QueryFailed, match=f"^{error}: "):
        columns(f"select {expression} from cars")


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("select 1 from trucks", "TABLE_NOT_FOUND"),
        ("select car from cars union all select km from cars", "TYPE_MISMATCH"),
        ("select car from cars union all select car, km from cars", "TYPE_MISMATCH"),
        ("select car from cars as a cross join cars as b", "AMBIGUOUS_NAME"),
        ("select 1 from cars where km", "TYPE_MISMATCH"),
        ("select year as y from cars where y = 1", "COLUMN_NOT_FOUND"),
        ("select count(*) as n from cars group by car having n > 1", "COLUMN_NOT_FOUND"),
        ("select a.car from (select car from cars) as b", "COLUMN_NOT_FOUND"),
        ("select t.* from cars", "TABLE_NOT_FOUND"),
        ("select 1; select 2", "SYNTAX_ERROR"),
        ("select from where", "SYNTAX_ERROR"),
        ("select t from cars cross join unnest(tags) as u (t)", "NOT_IN_THE_DOUBLE"),
        ("select * from cars tablesample bernoulli (10)", "NOT_IN_THE_DOUBLE"),
        ("select car, count(*) from cars group by rollup (car)", "NOT_IN_THE_DOUBLE"),
        ("select a.km from cars as a join cars as b using (car)", "NOT_IN_THE_DOUBLE"),
        ("select a.km from cars as a natural join cars as b", "NOT_IN_THE_DOUBLE"),
        ("select car from cars except select car from cars", "NOT_IN_THE_DOUBLE"),
        ("show tables", "NOT_IN_THE_DOUBLE"),
    ],
)
def test_refused_queries(query, error):
    with pytest.raises(QueryFailed, match=f"^{error}: "):
        columns(query)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("with a (n) as (select km from cars) select * from a", {"n": "double"}),
        ("select year as y from cars order by y", {"y": "integer"}),
        (
            "select * from (values (1, 'a'), (null, 'b')) as v (n, t)",
            {"n": "integer", "t": "varchar"},
        ),
        ("select trips as n from cars union all select year from cars", {"n": "bigint"}),
        (
            "select 1 as n from cars as a where exists (select 1 from cars where km = a.km)",
            {"n": "integer"},
        ),
        (
            "select a.car, b.* from cars as a join (select day from cars) as b on a.day = b.day",
            {"car": "varchar", "day": "date"},
        ),
    ],
)
def test_names_are_trinos(query, expected):
    assert columns(query) == expected


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("timestamp(3)", r"NOT_SUPPORTED: Timestamp precision \(3\)"),
        ("timestamp(0)", r"NOT_SUPPORTED: Timestamp precision \(0\)"),
        ("timestamp(3) with time zone", r"NOT_SUPPORTED: Timestamp precision \(3\)"),
        ("array(timestamp(3))", r"NOT_SUPPORTED: Timestamp precision \(3\)"),
        ("unknown", "COLUMN_TYPE_UNKNOWN"),
        ("json", "NOT_SUPPORTED"),
        ("smallint", "NOT_SUPPORTED"),
        ("row(a varchar, b json)", "NOT_SUPPORTED"),
    ],
)
def test_no_column_of_an_iceberg_table(kind, error):
    with pytest.raises(QueryFailed, match=error):
        check_iceberg_column("column", kind)


@pytest.mark.parametrize("kind", ["timestamp(6)", "timestamp(6) with time zone", "array(varchar)"])
def test_a_column_of_an_iceberg_table(kind):
    check_iceberg_column("column", kind)


def test_types_that_are_not_mapped():
    for kind in ("time", "uuid", "fixed[16]", "timestamp_ns", "float"):
        with pytest.raises(NotInTheDouble):
            glue_type(kind)
    with pytest.raises(NotInTheDouble):
        column_info("column", "array(varchar)")


class Calls:
    """A service of which no call is answered as Athena's model has it."""

    def GetWorkGroup(self, WorkGroup):
        return {"WorkGroup": {"Name": WorkGroup, "Colour": "blue"}}


@pytest.mark.parametrize(
    ("call", "body", "says"),
    [
        ("AmazonAthena.ListDatabases", b"{}", "does not know the call ListDatabases"),
        ("AmazonAthena.NoSuchCall", b"{}", "does not know the call NoSuchCall"),
        ("AmazonAthena.__init__", b"{}", "does not know the call __init__"),
        ("AWSGlue.GetTable", b"{}", "does not know the call GetTable"),
        ("", b"{}", "does not know the call none"),
        ("AmazonAthena.GetWorkGroup", b"{}", 'Missing required parameter in input: "WorkGroup"'),
        ("AmazonAthena.GetWorkGroup", b'{"WorkGroup": 1}', "Invalid type for parameter WorkGroup"),
        ("AmazonAthena.GetWorkGroup", b'{"WorkGroup": "a", "X": 1}', "Unknown parameter in input"),
        ("AmazonAthena.GetWorkGroup", b'{"WorkGroup": "a"}', "the answer to GetWorkGroup.*Colour"),
        (
            "AmazonAthena.StartCalculationExecution",
            b'{"SessionId": "a", "CodeBlock": "%s"}' % (b"x" * 68001),
            "CodeBlock has 68001 characters, and Athena takes 68000",
        ),
    ],
)
def test_calls_that_are_not_athenas(call, body, says):
    with pytest.raises(InvalidRequest, match=says):
        answer_call(Calls(), athena_model(), {"X-Amz-Target": call}, body)


@pytest.mark.parametrize(
    ("number", "in_trino", "in_java"),
    [
        (0.0, "0E0", "0.0"),
        (1.0, "1E0", "1.0"),
        (-12.5, "-1.25E1", "-12.5"),
        (1e7, "1E7", "1.0E7"),
        (0.00015, "1.5E-4", "1.5E-4"),
        (9999999.0, "9.999999E6", "9999999.0"),
    ],
)
def test_doubles_as_texts(number, in_trino, in_java):
    assert (double_to_text(number), java_text(number)) == (in_trino, in_java)
