{#
    Builds a snapshot with dbt's own queries (strategy, staging, merge), in the same steps as a model: it
    is staged as a temporary view, checked against the marks of columns, and written to the run's branch.
    The table is never dropped.

    (dbt-spark stages it as a view in the catalog, but an Iceberg catalog may not support views.)
    --full-refresh does not affect snapshots, as in stock dbt.

    Config: dbt's own, and the configs of `table`.
#}
{% materialization snapshot, adapter='spark' %}
  {%- if adapter.is_unguarded(this, model, graph) -%}
    {{ return(contracts__by_dbt_spark('snapshot')) }}
  {%- endif -%}
  {%- set at = contracts__begin() -%}
  {%- set dbts_own = config.get('snapshot_table_column_names') or get_snapshot_table_column_names() -%}
  {{ contracts__run_hooks(pre_hooks) }}

  {#- 1. stage -#}
  {%- set strategy = strategy_dispatch(config.get('strategy'))(
      model, 'snapshotted_data', 'source_data', model.config, at.existing is not none
  ) -%}
  {%- do contracts__stage_snapshot(at, strategy, dbts_own) -%}
  {%- if config.get('strategy') == 'check' and config.get('check_cols') not in ['all', ['all']] -%}
    {%- do adapter.merge_columns(at.staged, 'check_cols', config.get('check_cols')) -%}
  {%- endif -%}

  {#- 2. check, before anything is computed -#}
  {%- set checked = contracts__check(at, contracts__snapshot_internals(strategy.unique_key), dbts_own.values() | list) -%}
  {%- do adapter.check_snapshot_key(at.staged, model, graph, strategy.unique_key, at.existing is none) -%}

  {#- 3. the table -#}
  {%- set names = contracts__prepare_table(at, checked) -%}
  {%- do adapter.keep_marks(at.table, checked.marks) -%}

  {#- 4. write -#}
  {%- if at.existing is none -%}
    {%- do contracts__overwrite(at, names) -%}
  {%- else -%}
    {%- do contracts__merge_snapshot(at, checked.promise) -%}
  {%- endif -%}

  {#- 5. publish: end_run does it at the end of the run -#}
  {{ return(contracts__end(at, checked, full_refresh=false)) }}
{% endmaterialization %}

{#- Stages the rows that dbt's own queries return for the snapshot. -#}
{% macro contracts__stage_snapshot(at, strategy, dbts_own) %}
  {%- do adapter.require_query(compiled_code) -%}
  {%- if at.existing is none -%}
    {%- set query = build_snapshot_table(strategy, compiled_code) -%}
  {%- else -%}
    {%- do adapter.assert_valid_snapshot_target_given_strategy(at.existing, dbts_own, strategy) -%}
    {%- set query = snapshot_staging_table(strategy, compiled_code, at.table) -%}
  {%- endif -%}
  {%- call statement('main') -%}
    {{ query }}
  {%- endcall -%}
  {%- do adapter.stage_query(at.staged) -%}
{% endmacro %}

{#- Merges the staged rows into the snapshot's table, with dbt's own statement. -#}
{% macro contracts__merge_snapshot(at, promise) %}
  {%- do adapter.settle(at.staged) -%}
  {%- set quoted = [] -%}
  {%- for column in promise.columns -%}
    {%- do quoted.append(adapter.quote(column.name)) -%}
  {%- endfor -%}
  {%- call statement('write') -%}
    {{ snapshot_merge_sql(at.table, at.staged, quoted) }}
  {%- endcall -%}
{% endmacro %}

{#-
    Args:
        unique_key: the snapshot's unique_key, one or a list.

    Returns:
        The columns of dbt's staging query that are not columns of the snapshot.
-#}
{% macro contracts__snapshot_internals(unique_key) %}
  {%- set internal = ['dbt_change_type', 'dbt_unique_key'] -%}
  {%- for _ in unique_key if unique_key | is_list -%}
    {%- do internal.append('dbt_unique_key_' ~ loop.index) -%}
  {%- endfor -%}
  {{- return(internal) -}}
{% endmacro %}

{#- dbt's own merge, which names the columns. dbt-spark's `insert *` fails if the source lacks a column. -#}
{% macro spark__snapshot_merge_sql(target, source, insert_cols) %}
  {{- default__snapshot_merge_sql(target, source, insert_cols) -}}
{% endmacro %}

{#-
    dbt's staging query gets a table's columns from this macro. dbt-spark's version returns the rows of
    `describe`, which have no `name`: deleted rows would be recorded as rows of nulls.
-#}
{% macro spark__get_columns_in_relation(relation) %}
  {{- return(adapter.get_columns_in_relation(relation)) -}}
{% endmacro %}
