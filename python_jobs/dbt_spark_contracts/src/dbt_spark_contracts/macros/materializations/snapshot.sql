{#
    A snapshot, by dbt's own queries (strategy, staging, merge), in the steps of any model: staged as a
    temporary view, held against the marks of columns, written where the run writes, never dropped.

    dbt-spark stages it as a view of the catalog, and a catalog of Iceberg's may have none. Config: dbt's
    own, and what `table` takes. --full-refresh does not touch it, as ever with dbt.
#}
{% materialization snapshot, adapter='spark' %}
  {%- do contracts__require_begun() -%}
  {%- set target_relation = this.incorporate(type='table', is_iceberg=true) -%}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set staged = contracts__staged_view() -%}

  {{ run_hooks(pre_hooks, inside_transaction=False) }}
  {{ run_hooks(pre_hooks, inside_transaction=True) }}

  {#- 1. stage -#}
  {%- do adapter.require_query(compiled_code) -%}
  {%- set strategy = strategy_dispatch(config.get('strategy'))(
      model, 'snapshotted_data', 'source_data', model.config, existing_relation is not none
  ) -%}
  {%- if existing_relation is none -%}
    {%- set query = build_snapshot_table(strategy, compiled_code) -%}
  {%- else -%}
    {%- do adapter.assert_valid_snapshot_target_given_strategy(
        existing_relation, config.get('snapshot_table_column_names') or get_snapshot_table_column_names(), strategy
    ) -%}
    {%- set query = snapshot_staging_table(strategy, compiled_code, target_relation) -%}
  {%- endif -%}
  {%- call statement('main') -%}
    {{ query }}
  {%- endcall -%}
  {%- do adapter.stage_query(staged) -%}

  {#- 2. check, before anything is computed -#}
  {%- set internal = contracts__snapshot_internals(strategy.unique_key) -%}
  {%- set columns = contracts__promised_columns(
      staged, internal, (config.get('snapshot_table_column_names') or get_snapshot_table_column_names()).values() | list
  ) -%}
  {%- set marks = contracts__check_column_origins(staged, internal) -%}
  {%- set drift = contracts__table_drift(existing_relation, columns) -%}
  {%- do contracts__check_table_against_contract(existing_relation, drift) -%}

  {#- 3. the table -#}
  {%- set names = contracts__prepare_table(target_relation, existing_relation, columns, drift) -%}
  {%- do adapter.keep_marks(target_relation, marks) -%}

  {#- 4. write -#}
  {%- if existing_relation is none -%}
    {%- call statement('write') -%}
      {{ contracts__overwrite_sql(target_relation, names, staged) }}
    {%- endcall -%}
  {%- else -%}
    {%- do adapter.settle(staged) -%}
    {%- set quoted = [] -%}
    {%- for column in columns.columns -%}
      {%- do quoted.append(adapter.quote(column.name)) -%}
    {%- endfor -%}
    {%- call statement('write') -%}
      {{ snapshot_merge_sql(target_relation, staged, quoted) }}
    {%- endcall -%}
  {%- endif -%}

  {#- 5. publish: at the end of the run, end_run does -#}

  {%- do adapter.drop_stage(staged) -%}
  {%- do apply_grants(target_relation, config.get('grants'), should_revoke(existing_relation, full_refresh_mode=False)) -%}
  {{ run_hooks(post_hooks, inside_transaction=True) }}
  {{ run_hooks(post_hooks, inside_transaction=False) }}
  {%- do contracts__check_after_hooks(columns) -%}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#- Out: the columns of dbt's staging query that are not the snapshot's. In: its unique_key, one or a list. -#}
{% macro contracts__snapshot_internals(unique_key) %}
  {%- set internal = ['dbt_change_type', 'dbt_unique_key'] -%}
  {%- for _ in unique_key if unique_key | is_list -%}
    {%- do internal.append('dbt_unique_key_' ~ loop.index) -%}
  {%- endfor -%}
  {{- return(internal) -}}
{% endmacro %}

{#- dbt's own, which names its columns: dbt-spark's `insert *` fails once the source lacks one of the snapshot's. -#}
{% macro spark__snapshot_merge_sql(target, source, insert_cols) %}
  {{- default__snapshot_merge_sql(target, source, insert_cols) -}}
{% endmacro %}

{#-
    dbt's staging query asks for the names of a table's columns by this macro, and dbt-spark's gives the rows
    of `describe`, which have none: what is deleted would go into the history as a row of nulls.
-#}
{% macro spark__get_columns_in_relation(relation) %}
  {{- return(adapter.get_columns_in_relation(relation)) -}}
{% endmacro %}
