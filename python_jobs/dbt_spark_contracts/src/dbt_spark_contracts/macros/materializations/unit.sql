{#
    A unit test, as dbt's own materialization `unit` (global project, materializations/tests/unit.sql)
    runs it, but for one thing: the model's SQL is staged, as any model's is. dbt puts it into two
    statements, and Spark analyzes it three times.
#}
{% materialization unit, adapter='spark' %}
  {%- set sql_header = config.get('sql_header') if flags.REQUIRE_SQL_HEADER_IN_TEST_CONFIGS else none -%}
  {%- set expected_rows = config.get('expected_rows') -%}
  {%- set staged = contracts__staged_view() -%}

  {%- call statement('stage') -%}
    {%- do adapter.require_query(sql) -%}
    {{ sql }}
  {%- endcall -%}
  {%- do adapter.stage_query(staged) -%}

  {%- set types = {} -%}
  {%- set quoted = {} -%}
  {%- for column in adapter.get_columns_in_relation(staged) -%}
    {%- do types.update({column.name | lower: column.data_type}) -%}
    {%- do quoted.update({column.name | lower: column.quoted}) -%}
  {%- endfor -%}
  {%- set tested = [] -%}
  {%- for name in (expected_rows[0] if expected_rows else quoted) -%}
    {%- do tested.append(quoted[name | lower]) -%}
  {%- endfor -%}

  {%- call statement('main', fetch_result=True) -%}
    {{ sql_header or '' }}
    {{ get_unit_test_sql(
        'select * from ' ~ staged,
        config.get('expected_sql') or get_expected_sql(expected_rows, types, quoted),
        tested
    ) }}
  {%- endcall -%}

  {%- do adapter.drop_stage(staged) -%}
  {{ return({'relations': []}) }}
{% endmaterialization %}
