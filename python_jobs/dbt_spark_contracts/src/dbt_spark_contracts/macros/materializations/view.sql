{#
    Creates a view in the catalog, if the catalog supports views. Iceberg's folder catalog and Glue do
    not; REST does.

    The query is checked against the contract and the marks of columns like that of any model. Readers see
    the new definition at once; it reads published tables. An existing table is not dropped for a view, as
    dbt would do.
#}
{% materialization view, adapter='spark' %}
  {%- set at = contracts__begin('view') -%}
  {%- if at.existing and at.existing.is_table -%}
    {%- do exceptions.raise_compiler_error(
        this ~ ' is a table, and is not dropped for a view: give the view another alias, or drop the table yourself.'
    ) -%}
  {%- endif -%}
  {{ contracts__run_hooks(pre_hooks) }}

  {%- do contracts__stage(at.staged) -%}
  {%- do contracts__check_staged_against_contract(at.staged, contracts__promised_columns(at.staged)) -%}
  {%- do adapter.check_marked_columns(at.table, at.staged, model, graph) -%}
  {%- do contracts__check_column_origins(at.staged) -%}
  {%- do adapter.check_keys(at.staged, model, graph) -%}
  {%- do adapter.create_view(at.table, get_create_view_as_sql(at.table, compiled_code)) -%}

  {%- do adapter.drop_stage(at.staged) -%}
  {%- do apply_grants(at.table, config.get('grants'), should_revoke(at.existing, true)) -%}
  {{ contracts__run_hooks(post_hooks, reverse=true) }}
  {{ return({'relations': [at.table]}) }}
{% endmaterialization %}
