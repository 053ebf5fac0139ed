{#
    Builds a node that is not an Iceberg table, or whose meta has `unguarded`, with dbt-spark's own
    materialization. The guard only stages its query and checks it against the marks of columns.

    Args:
        materialization: the name of the materialization.

    Returns:
        The result of the materialization.
#}
{% macro contracts__by_dbt_spark(materialization) %}
  {%- do adapter.require_begun(this, contracts__command(), graph) -%}
  {{ contracts__run_hooks(pre_hooks) }}
  {%- set staged = contracts__staged_view() -%}
  {%- if model.resource_type != 'seed' -%}
    {%- do contracts__stage(staged, 'stage') -%}
    {%- do adapter.require_nothing_to_keep(model, staged, contracts__check_column_origins(staged)) -%}
  {%- endif -%}
  {#- dbt-spark has its own queries for snapshots and seeds. -#}
  {%- set query = 'select * from ' ~ staged if model.resource_type == 'model' else '' -%}
  {%- set result = adapter.by_dbt_spark(materialization, context, query) -%}
  {%- do adapter.drop_stage(staged) -%}
  {{ return(result) }}
{% endmacro %}
