"""The SQL that the cross-engine macros render for Spark and for Athena."""

import re

import pytest

from python_jobs.athena_gate.trino_sql import problems_of
from tests.support.dbt_runner import ROOT

pytestmark = pytest.mark.quick

NUMBER = r"'^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?\z'"
DATE = r"'^[0-9]{4}-[0-9]{2}-[0-9]{2}\z'"
# In a text of Spark's SQL, a backslash is written as two.
SPARK_NUMBER, SPARK_DATE = (pattern.replace("\\", r"\\") for pattern in (NUMBER, DATE))

# Each macro call, and the SQL that it renders on Spark and on Athena.
RENDERED = {
    "to_text('a')": ("cast(a as string)", "cast(a as varchar)"),
    "days_between('a', 'b')": (
        "datediff(b, a)",
        "cast(date_diff('day', cast(a as date), cast(b as date)) as integer)",
    ),
    "sha256_hex(['a', 'b'])": (
        "coalesce(sha2(concat_ws('|', length(a), a, length(b), b), 256), '')",
        "lower(to_hex(sha256(to_utf8(concat_ws('|', cast(length(a) as varchar), a, "
        "cast(length(b) as varchar), b)))))",
    ),
    "content_hash(['a', 'b'])": (
        "xxhash64(a, a is null, b, b is null)",
        "xxhash64(to_utf8(json_format(cast(array[cast(a as varchar), cast(b as varchar)] "
        "as json))))",
    ),
    "is_blank('a')": (
        r"coalesce(a, '') not rlike '\\S'",
        r"not regexp_like(coalesce(a, ''), '[^ \t\n\x0B\f\r]')",
    ),
    "text_to_double('a')": (
        f"case when a rlike {SPARK_NUMBER} and abs(cast(a as double)) < double('Infinity') "
        "then cast(a as double) + 0D end",
        f"case when regexp_like(a, {NUMBER}) and abs(try_cast(a as double)) < infinity() "
        "then try_cast(a as double) + 0e0 end",
    ),
    "text_to_date('a')": (
        f"case when a rlike {SPARK_DATE} and left(a, 4) != '0000' then cast(a as date) end",
        f"case when regexp_like(a, {DATE}) and substr(a, 1, 4) != '0000' "
        "then try_cast(substr(a, 1, 10) as date) end",
    ),
    "read_text('a', 'string')": ("a", "a"),
    "is_parsed_event()": (
        "coalesce(size(plain.events) = 1 and plain.is_whole and plain._corrupt_record is null "
        "and plain.events[0] is not null "
        "and not contains(cast(plain.events[0] as string), 'Infinity'), false)",
        "false",
    ),
    "is_plain_event(['a.b', 'c'])": (
        r"""is_parsed and not concat_ws('\n', plain.events[0].a.b, plain.events[0].c) rlike """
        r"""'(?m)^(?:["{\\[]|-?(?:[0-9]+(?:[.][0-9]+)?(?:[eE][-+]?[0-9]+)?|Infinity|NaN|true|false)$)'""",
        "false",
    ),
    "keep_numbers('j', ['a.b'])": (
        r"""if((j rlike '"(?:b)"\\s*:\\s*[-0-9]' or j rlike '[-+.0-9eE]{999}' """
        r"""or contains(j, '\\u00') and j rlike '\\\\u00[2-7]') and """
        r"""j not rlike '[\u0001\u0002]', replace(replace(array_join(transform("""
        r"""split(replace(replace(j, '\\\\', '\u0001'), '\\"', '\u0002'), '"'), """
        r"""(part, i) -> if(i % 2 = 0, regexp_replace(part, '"""
        r"""(?<![-+.0-9eE])-?(?:0|[1-9][0-9]*+)(?:[.][0-9]++)?+(?:[eE][-+]?[0-9]++)?+"""
        r"""(?![-+.0-9a-zA-Z]|\\s*:)', '"$0"'), part)), '"'), """
        r"""'\u0002', '\\"'), '\u0001', '\\\\'), j)""",
        "j",
    ),
    "event_text({'type': 'date', 'path': 'a.b'})": (
        "if(is_plain, plain.events[0].a.b, event.a.b)",
        "texts['a.b']",
    ),
    "event_text({'type': 'double', 'path': 'a.b'})": ("event.a.b", "texts['a.b']"),
    "is_nested('a.b')": (
        "nested_objects.a.b is not null or nested_arrays.a.b is not null",
        "substr(json_format(json_extract(event, '$.a.b')), 1, 1) in ('{', '[')",
    ),
    "never_null('a', '0')": ("coalesce(a, raise_error('a is null, and never may be'), 0)", "a"),
    "partitioned_by(['a', 'months(b)', 'hours(c)', 'bucket(16, d)', 'truncate(4, e)'])": (
        "{'partition_by': ['a', 'months(b)', 'hours(c)', 'bucket(16, d)', 'truncate(4, e)']}",
        "{'partitioned_by': ['a', 'month(b)', 'hour(c)', 'bucket(d, 16)', 'truncate(e, 4)']}",
    ),
    "merged_rows()": (
        "{'new': 'DBT_INTERNAL_SOURCE', 'held': 'DBT_INTERNAL_DEST'}",
        "{'new': 'src', 'held': 'target'}",
    ),
    "replaced_if('a')": ("{'matched_condition': 'a'}", "{'update_condition': 'a'}"),
    "replaced_if()": ("{'skip_matched_step': True}", "{'update_condition': 'false'}"),
}
# Not SQL, but a model's config.
CONFIG = ("partitioned_by", "merged_rows", "replaced_if")

# Calls that render long SQL: for each engine a part that only its own SQL contains.
LONG = {
    "text_to_int('a')": ("cast(case when a rlike", "try_cast(case when regexp_like("),
    "text_to_timestamp('a')": (" as timestamp)", " as timestamp(6))"),
    "parse_json_events('j', ['a.b'])": ("from_json(", "try(cast(json_parse("),
    "first_event('j')": ("parsed.events[0]", "none_match(slice(parsed, 1, "),
    "parse_plain_event('j', [{'type': 'int', 'path': 'a.b'}])": ("`b`:int", "null as boolean"),
    "inspect_event('j', ['a.b'], ['a.b'], ['a.b'])": (" as nested_arrays", " as texts"),
    "event_value({'name': 'a', 'type': 'int', 'path': 'b.c'})": ("if(is_parsed, ", "try_cast("),
    "not_one_event('j') | map('join', ', ') | join(', ')": ("get_json_object(", "is distinct from"),
    "broken_objects('j', ['a']) | map('join', ', ') | join(', ')": (
        "_corrupt_record is not null",
        "json_extract(event, '$.a')",
    ),
}


@pytest.fixture(scope="module")
def rendered(render):
    """Return the rendered SQL by target and call."""
    return {target: render(target, *RENDERED, *LONG) for target in ("ci", "athena")}


@pytest.mark.parametrize("call", RENDERED)
def test_what_is_rendered(rendered, call):
    assert (rendered["ci"][call], rendered["athena"][call]) == RENDERED[call]


@pytest.mark.parametrize("call", LONG)
def test_what_is_in_longer_ones(rendered, call):
    sql = rendered["ci"][call], rendered["athena"][call]
    for own, other in ((0, 1), (1, 0)):
        assert LONG[call][own] in sql[own]
        assert LONG[call][other] not in sql[own]


@pytest.mark.parametrize(
    "call", [call for call in [*RENDERED, *LONG] if not call.startswith(CONFIG)]
)
def test_athena_takes_it(rendered, call):
    """Calls that return conditions or columns are valid in a select list."""
    assert list(problems_of(f"select {rendered['athena'][call]}\nfrom t")) == []


def test_each_dispatched_macro_is_tested_and_has_both():
    macros = ROOT / "macros/cross_engine"
    text = "\n".join(file.read_text(encoding="utf-8") for file in macros.glob("*.sql"))
    dispatched = set(re.findall(r"adapter\.dispatch\('(\w+)'\)", text))
    assert "to_text" in dispatched
    for engine in ("spark", "athena"):
        assert dispatched <= set(re.findall(rf"macro {engine}__(\w+)\(", text))
    assert dispatched <= {call.partition("(")[0] for call in [*RENDERED, *LONG]}


def test_unknown_partition_transform_is_reported(render):
    with pytest.raises(AssertionError, match=r"'weeks\(a\)' is no transform of Iceberg's"):
        render("athena", "partitioned_by(['weeks(a)'])")
