{#
    Runs a unit test like dbt's own materialization `unit` (global project,
    materializations/tests/unit.sql), with two differences. The model is staged like any model, so that
    Spark analyzes it once. And it may be a Python model, which reads the given rows from views that are
    created here.
#}
{% materialization unit, adapter='spark', supported_languages=['sql', 'python'] %}
  {%- set sql_header = config.get('sql_header') if flags.REQUIRE_SQL_HEADER_IN_TEST_CONFIGS else none -%}
  {%- set expected_rows = config.get('expected_rows') -%}
  {%- set staged = contracts__staged_view() -%}
  {%- set given = config.get('given', {}) -%}

  {%- for view, query in given.items() -%}
    {%- call statement('given') -%}
      {%- do adapter.require_query(query) -%}
      {{ query }}
    {%- endcall -%}
    {%- do adapter.stage_query(view) -%}
  {%- endfor -%}

  {%- do contracts__stage(staged, 'stage') -%}

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

  {%- for view in [staged] + (given | list) -%}
    {%- do adapter.drop_stage(view) -%}
  {%- endfor -%}
  {{ return({'relations': []}) }}
{% endmaterialization %}
