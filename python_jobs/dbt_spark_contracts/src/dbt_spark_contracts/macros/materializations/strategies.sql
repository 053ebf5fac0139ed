{#- How the rows of an incremental model come into its table, by its incremental_strategy. -#}

{#- Out: the model's incremental strategy, told on the first run as on later ones. Raises dbt-spark's compiler error if it knows none of that name. -#}
{% macro contracts__incremental_strategy() %}
  {%- set strategy = config.get('incremental_strategy') or ('merge' if config.get('unique_key') else 'append') -%}
  {{ return(dbt_spark_validate_get_incremental_strategy(strategy, 'iceberg')) }}
{% endmacro %}

{#
    Out: the unique_key of a model that is merged, as columns of SQL, whatever their names are. Raises a compiler
    error on the first run, too, if the model returns no such column, or none that another config of the merge names.
#}
{% macro contracts__merge_keys(at, strategy) %}
  {%- set keys = config.get('unique_key') if strategy == 'merge' else none -%}
  {%- for name in ['merge_update_columns', 'merge_exclude_columns'] if strategy == 'merge' -%}
    {%- do adapter.merge_columns(at.staged, name, config.get(name)) -%}
  {%- endfor -%}
  {{- return(adapter.merge_columns(at.staged, 'unique_key', keys)) -}}
{% endmacro %}

{#- dbt's own, but that the columns may have any names. -#}
{% macro spark__get_merge_update_columns(merge_update_columns, merge_exclude_columns, dest_columns) %}
  {%- set updated = adapter.merge_columns(contracts__staged_view(), 'merge_update_columns', merge_update_columns) -%}
  {{- return(default__get_merge_update_columns(updated, merge_exclude_columns, dest_columns)) -}}
{% endmacro %}

{#
    Of a microbatch model: lets the staged view hold its batch's rows only.

    Out: the batch's window as SQL; none with other strategies. Raises a compiler error if dbt gives no batch (a project's own microbatch
    macro turns batches off), or if earlier batches would be missing for good.
#}
{% macro contracts__limit_to_batch(at, strategy) %}
  {%- if strategy != 'microbatch' -%}
    {{- return(none) -}}
  {%- elif not model.batch -%}
    {%- do exceptions.raise_compiler_error(
        this ~ ': dbt runs this microbatch model without batches, because the project has a macro '
        ~ 'get_incremental_microbatch_sql: remove it, or set the flag require_batched_execution_for_custom_microbatch_strategy.'
    ) -%}
  {%- elif not contracts__replaces_all(at.existing) and not invocation_args_dict.event_time_start
      and adapter.skips_batches(at.existing, config.get('begin'), model.batch) -%}
    {%- do exceptions.raise_compiler_error(
        this ~ ' is there and was never written, as a first run leaves it that fails, and dbt would begin with its '
        ~ 'last batches: run it with --full-refresh.'
    ) -%}
  {%- endif -%}
  {{- return(adapter.limit_to_batch(at.staged, config.get('event_time'), model.batch, contracts__has_filtered_input())) -}}
{% endmacro %}

{#
    Is all of the table's content made anew? On the first run, and with --full-refresh; but of a microbatch
    model no more than the batches that are asked for, by a window or by `dbt retry`.

    In: the existing relation, none if absent.
#}
{% macro contracts__replaces_all(existing_relation) %}
  {%- if existing_relation is none or not should_full_refresh() -%}
    {{- return(existing_relation is none) -}}
  {%- endif -%}
  {{- return(not (model.batch and (model.previous_batch_results or invocation_args_dict.event_time_start))) -}}
{% endmacro %}

{#- Does dbt filter an input of this model by its batch? It does where the input has an event_time, in SQL. -#}
{% macro contracts__has_filtered_input() %}
  {%- for parent in model.depends_on.nodes if model.language == 'sql' -%}
    {%- set node = graph.nodes.get(parent) or graph.sources.get(parent) -%}
    {%- if node and node.config.event_time -%}
      {{- return(true) -}}
    {%- endif -%}
  {%- endfor -%}
  {{- return(false) -}}
{% endmacro %}

{#
    Writes the staged rows by the strategy: dbt-spark's SQL for merge and append; replaced partitions, and a
    replaced window, by Spark's own commands, which depend on no session's setting.

    In: the strategy, the keys of a merge, the window of a microbatch.
#}
{% macro contracts__write_incrementally(at, strategy, keys, window) %}
  {%- if strategy == 'insert_overwrite' -%}
    {%- do adapter.overwrite_partitions(at.table, at.staged) -%}
  {%- elif strategy == 'microbatch' -%}
    {%- do adapter.overwrite_window(at.table, at.staged, window) -%}
  {%- else -%}
    {%- if strategy == 'merge' -%}
      {%- do adapter.settle(at.staged) -%}
    {%- endif -%}
    {%- call statement('write') -%}
      {{ dbt_spark_get_incremental_sql(
          strategy, at.staged, at.table, at.existing, keys,
          config.get('predicates') or config.get('incremental_predicates')
      ) }}
    {%- endcall -%}
  {%- endif -%}
{% endmacro %}
