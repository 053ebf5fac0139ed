"""dbt unit tests for Python models: `unit_tests:` in YAML, as in dbt's documentation.

dbt itself does not support them for Python models (dbt-core issue 8293).
"""

import inspect

import pytest
from dbt.artifacts.resources.types import ModelLanguage
from dbt.compilation import Compiler
from dbt.contracts.graph.nodes import UnitTestNode
from dbt.parser.unit_tests import UnitTestManifestLoader
from dbt_spark_contracts.compat import patches

from tests.support.dbt_runner import make_project

CONTRACT = "config: {contract: {enforced: true}}"
FILES = {
    # Of the parents, only `by_table` is built.
    "models/orders.sql": """
select 1L as order_id, 1.5BD as amount, array('a') as tags, date'2026-01-01' as day
""",
    "models/by_table.sql": "select 1L as order_id, 'a' as name",
    "models/lines.py": """


import datetime


def model(dbt, spark):
    orders = dbt.ref("orders").join(dbt.ref("by_table"), "order_id", "left")
    files = dbt.source("landing", "files").selectExpr("decode(content, 'utf-8') as text")
    assert orders.schema["day"].dataType.typeName() == "date"
    if dbt.is_incremental:
        orders = orders.where(f"order_id > (select max(order_id) from {dbt.this})")
    return orders.crossJoin(files).selectExpr(
        "order_id", "amount", "size(tags) as tags", "name", "text", "day",
        f"{dbt.config.get('factor')} as factor",
    )
""",
    "models/fails.py": """
from pyspark.sql.functions import udf


def model(dbt, spark):
    orders = dbt.ref("orders")
    if dbt.config.get("how") == "at_once":
        return orders.select(wrong())
    return orders.select(udf(lambda order_id: wrong() + order_id)("order_id").alias("a"))


def wrong():
    return 1 / 0
""",
    "macros/own.sql": """
{% macro factor() %}{{ return(var('factor', 1)) }}{% endmacro %}
{% macro build_config_dict(model) %}
{{ dbt.build_config_dict(model) }}
config_dict.update({'factor': {{ factor() }}, 'how': '{{ var('how', '') }}'})
{% endmacro %}
""",
    "models/schema.yml": """
sources:
  - name: landing
    tables:
      - {name: files, external: {location: nowhere}}
models:
  - name: orders
    config: {contract: {enforced: true}}
    columns:
      - {name: order_id, data_type: bigint}
      - {name: amount, data_type: "decimal(12,2)"}
      - {name: tags, data_type: array<string>}
      - {name: day, data_type: date}
  - name: lines
    config: {materialized: incremental}
""",
    "tests/fixtures/some_orders.csv": "ORDER_ID,amount\n1,9.99\n2,\n",
    "tests/fixtures/some_names.sql": "select 2L as order_id, 'b' as name",
    "models/unit_tests.yml": """
unit_tests:
  - name: rows_of_all_formats
    model: lines
    overrides: &first {macros: {is_incremental: false}, vars: {factor: 7}}
    given:
      - {input: ref('orders'), format: csv, fixture: some_orders}
      - {input: ref('by_table'), format: sql, fixture: some_names}
      - {input: "source('landing', 'files')", rows: [{content: hello}]}
    expect:
      rows:
        - {order_id: 1, amount: 9.99, name: null, text: hello, factor: 7}
        - {order_id: 2, amount: null, name: b, text: hello, factor: 7}

  - name: typed_by_contract_and_by_table
    model: lines
    overrides: {macros: {is_incremental: true, factor: 3}}
    given:
      - input: this
        format: sql
        rows: select 4L as order_id
      - input: ref('orders')
        rows:
          - {order_id: 4}
          - {order_id: 5, tags: 'array("x", "y")', day: 2026-02-03}
      - {input: ref('by_table'), rows: [{order_id: 5, NAME: five}]}
      - {input: "source('landing', 'files')", rows: [{content: hello}]}
    expect:
      format: csv
      rows: |
        order_id,tags,day,name,factor
        5,2,2026-02-03,five,3

  - name: no_rows
    model: lines
    overrides: *first
    given:
      - {input: ref('orders'), rows: []}
      - {input: ref('by_table'), rows: []}
      - {input: "source('landing', 'files')", rows: []}
    expect: {rows: []}

  - name: differs
    model: lines
    overrides: *first
    given:
      - {input: ref('orders'), rows: [{order_id: 1}]}
      - {input: ref('by_table'), rows: []}
      - {input: "source('landing', 'files')", rows: [{content: hello}]}
    expect: {rows: [{order_id: 2, text: hello}]}
""",
    "models/wrong_unit_tests.yml": """
unit_tests:
  - name: no_override
    model: lines
    given: []
    expect: {rows: []}
  - name: no_this
    model: lines
    overrides: {macros: {is_incremental: true}}
    given: []
    expect: {rows: []}
  - name: no_such_column
    model: fails
    given: [{input: ref('orders'), rows: [{nonsense: 1}]}]
    expect: {rows: []}
  - name: no_such_expected_column
    model: fails
    given: [{input: ref('orders'), rows: [{order_id: 1}]}]
    expect: {rows: [{nonsense: 1}]}
  - name: not_given
    model: fails
    given: []
    expect: {rows: []}
  - name: error_in_the_model
    model: fails
    overrides: {vars: {how: at_once}}
    given: [{input: ref('orders'), rows: [{order_id: 1}]}]
    expect: {rows: [{a: 1}]}
  - name: error_in_a_worker
    model: fails
    given: [{input: ref('orders'), rows: [{order_id: 1}]}]
    expect: {rows: [{a: 1}]}
""",
}


@pytest.fixture(scope="module")
def project(dbt, tmp_path_factory, module_schema):
    project = make_project(dbt, tmp_path_factory.mktemp("unit"), FILES)
    result = project("run", "--select", "by_table", schema=module_schema)
    assert result.success, result.text
    return project


def test_the_function_runs_on_the_given_rows(project, module_schema, spark):
    expected = {
        "rows_of_all_formats": "pass",
        "typed_by_contract_and_by_table": "pass",
        "no_rows": "pass",
        "differs": "fail",
    }
    select = ("--select", *(f"test_name:{name}" for name in expected))
    result = project("test", *select, schema=module_schema)
    assert result.status == expected, result.text
    assert " differs from " in result.message["differs"]
    difference = [line for line in result.text.splitlines() if "hello" in line]
    assert any("1" in line and "2" in line for line in difference), result.text
    assert not [view for view in spark.catalog.listTables(module_schema) if "given" in view.name]


def test_errors_are_reported(project, module_schema):
    result = project(
        "test",
        "--select",
        "test_type:unit",
        "--exclude",
        "rows_of_all_formats",
        schema=module_schema,
    )
    expected = {
        "no_override": "Boolean override for 'is_incremental' must be provided",
        "no_this": "must have a 'this' input",
        "no_such_column": "Invalid column name: 'nonsense' in unit test fixture for 'orders'",
        "no_such_expected_column": "'nonsense' in unit test fixture for expected output",
        "not_given": "depends on a node named 'orders' which was not found",
        "error_in_the_model": "ZeroDivisionError: division by zero",
        "error_in_a_worker": "ZeroDivisionError: division by zero",
    }
    select = ("--select", *(f"test_name:{name}" for name in expected))
    result = project("test", *select, schema=module_schema)
    for name, words in expected.items():
        assert result.status[name] == "error", name
        assert words in result.message[name], result.message[name]
    for name, lines in {"error_in_the_model": (8, 13), "error_in_a_worker": (9, 13)}.items():
        for line in lines:
            assert f'models/fails.py", line {line}' in result.message[name], result.message[name]
        assert "py4j" not in result.message[name]


# dbt's private names


@pytest.mark.quick
def test_dbt_creates_unit_tests_where_the_guard_replaces_them():
    patches.undo()
    assert list(inspect.signature(Compiler._compile_code).parameters) == [
        *("self", "node", "manifest", "extra_context"),
    ]
    for name in ("_create_node_context", "add_ephemeral_prefix", "compile_node"):
        assert hasattr(Compiler, name)
    assert hasattr(UnitTestManifestLoader, "_get_original_input_node")
    fields = UnitTestNode.__dataclass_fields__
    assert {"language", "refs", "sources", "extra_ctes", "overrides", "config"} <= {*fields}
    assert ModelLanguage.python == "python"


@pytest.mark.quick
def test_dbt_takes_python_for_sql_by_itself():
    """If this fails, the guard's patch may no longer be needed."""
    source = inspect.getsource(UnitTestManifestLoader)
    assert "language" not in source and "python" not in source.lower()
