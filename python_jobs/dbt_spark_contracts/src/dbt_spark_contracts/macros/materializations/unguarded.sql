{#
    A model, SQL or Python, that is to be no Iceberg table, or whose meta says `unguarded` and why: dbt-spark's
    own materialization writes it, as if the guard were not there. Its query is staged and held against the marks of columns all the same, so that
    no such table hands on what may not leave.

    In: the materialization's name. Out: what dbt wants of it.
#}
{% macro contracts__by_dbt_spark(materialization) %}
  {%- do adapter.require_begun(this, contracts__command(), graph) -%}
  {{ contracts__run_hooks(pre_hooks) }}
  {%- set staged = contracts__staged_view() -%}
  {%- if model.resource_type != 'seed' -%}
    {%- do contracts__stage(staged, 'stage') -%}
    {%- do adapter.require_nothing_to_keep(model, staged, contracts__check_column_origins(staged)) -%}
  {%- endif -%}
  {#- A snapshot and a seed have queries of their own. -#}
  {%- set query = 'select * from ' ~ staged if model.resource_type == 'model' else '' -%}
  {%- set result = adapter.by_dbt_spark(materialization, context, query) -%}
  {%- do adapter.drop_stage(staged) -%}
  {{ return(result) }}
{% endmacro %}
