{#
    Runs a data test with dbt's own materialization. Stored failures are rows of the models in another
    schema, so they are first checked against the marks of columns.

    Failures are stored on main at once, so that you can look at them after the run has failed.
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
  {%- endif -%}
  {{- return(context['materialization_test_default']()) -}}
{% endmaterialization %}
