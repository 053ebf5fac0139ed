{#
    Runs a data test with dbt's own materialization.

    A build does not run it again if it has passed on the rows that are there: its query, the snapshots
    that it reads, and Spark's settings are the same. Then its result is the same, too. `dbt test` always
    runs it.

    Stored failures are rows of the models in another schema, so they are first checked against the marks
    of columns. Failures are stored on main at once, so that you can look at them after the run has
    failed. Such a test is always run.
#}
{% materialization test, adapter='spark' %}
  {%- if should_store_failures() -%}
    {%- set staged = contracts__staged_view() -%}
    {%- call statement('contracts_stage') -%}
      {%- do adapter.require_query(sql) -%}
      {{ sql }}
    {%- endcall -%}
    {%- do adapter.stage_query(staged) -%}
    {%- do contracts__check_column_origins(staged) -%}
    {%- do adapter.drop_stage(staged) -%}
    {{- return(context['materialization_test_default']()) -}}
  {%- endif -%}
  {%- if adapter.has_passed(model, sql) -%}
    {%- call noop_statement('main', 'passed before, on the same rows', res=adapter.no_failures()) -%}
      {{ sql }}
    {%- endcall -%}
    {{ return({'relations': []}) }}
  {%- endif -%}
  {%- set result = context['materialization_test_default']() -%}
  {%- do adapter.remember(model, sql, load_result('main')) -%}
  {{- return(result) -}}
{% endmaterialization %}
