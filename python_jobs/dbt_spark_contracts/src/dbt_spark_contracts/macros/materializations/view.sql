{#
    A view of the catalog, if that has any: Iceberg's folder catalog and Glue's have none, REST has.

    Its query is held against the contract and the marks of columns as any model's. Readers see its
    definition at once, and by it what is published. A table is not dropped for it, as dbt would.
#}
{% materialization view, adapter='spark' %}
  {%- do contracts__require_begun() -%}
  {%- set target_relation = this.incorporate(type='view') -%}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set staged = contracts__staged_view() -%}
  {%- if existing_relation and existing_relation.is_table -%}
    {%- do exceptions.raise_compiler_error(
        this ~ ' is a table, which is not dropped for a view: give the view another alias, or drop the table yourself.'
    ) -%}
  {%- endif -%}

  {{ run_hooks(pre_hooks) }}

  {%- call statement('main') -%}
    {{ contracts__stage(staged, compiled_code) }}
  {%- endcall -%}
  {%- do adapter.stage_query(staged) -%}
  {%- do contracts__check_staged_against_contract(staged, contracts__promised_columns(staged)) -%}
  {%- do contracts__check_column_origins(staged) -%}
  {%- do adapter.create_view(target_relation, get_create_view_as_sql(target_relation, compiled_code)) -%}

  {%- do adapter.drop_stage(staged) -%}
  {%- do apply_grants(target_relation, config.get('grants'), should_revoke(existing_relation, true)) -%}
  {{ run_hooks(post_hooks) }}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
