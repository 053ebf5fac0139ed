{#
    A data test, by dbt's own materialization; but failures that are stored are rows of the models in
    another schema, so they are held against the marks of columns first.

    They are stored at once, on main: they are there to be looked at when the run has failed.
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
