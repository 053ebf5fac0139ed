{#- How the rows of an incremental model are written, by its incremental_strategy. -#}

{#-
    Returns:
        The model's incremental strategy. It is determined on the first run, too.

    Raises:
        dbt-spark's compiler error for an unknown strategy. A compiler error for a config that has no effect
        with this strategy.
-#}
{% macro contracts__incremental_strategy() %}
  {%- set strategy = config.get('incremental_strategy') or ('merge' if config.get('unique_key') else 'append') -%}
  {%- for name in ['matched_condition', 'skip_matched_step'] if config.get(name) and strategy != 'merge' -%}
    {%- do exceptions.raise_compiler_error(
        this ~ ': ' ~ name ~ ' has an effect with the strategy merge only, not with ' ~ strategy ~ ': take it out.'
    ) -%}
  {%- endfor -%}
  {%- if strategy == 'delete+insert' and config.get('unique_key') -%}
    {%- if config.get('predicates') or config.get('incremental_predicates') -%}
      {%- do exceptions.raise_compiler_error(
          this ~ ': delete+insert replaces all rows of a key, so incremental_predicates has no effect: take it out.'
      ) -%}
    {%- endif -%}
    {{ return(strategy) }}
  {%- endif -%}
  {{ return(dbt_spark_validate_get_incremental_strategy(strategy, 'iceberg')) }}
{% endmacro %}

{#
    Returns:
        The unique_key of a merge or of delete+insert, as SQL columns. The names may have any characters.

    Raises:
        A compiler error if the model does not return a column that the unique_key or another config of
        the merge names. It is raised on the first run, too.
#}
{% macro contracts__merge_keys(at, strategy) %}
  {%- set keys = config.get('unique_key') if strategy in ['merge', 'delete+insert'] else none -%}
  {%- for name in ['merge_update_columns', 'merge_exclude_columns'] if strategy == 'merge' -%}
    {%- do adapter.merge_columns(at.staged, name, config.get(name)) -%}
  {%- endfor -%}
  {{- return(adapter.merge_columns(at.staged, 'unique_key', keys)) -}}
{% endmacro %}

{#- Overrides dbt-spark's macro, so that column names may have any characters. -#}
{% macro spark__get_merge_update_columns(merge_update_columns, merge_exclude_columns, dest_columns) %}
  {%- set updated = adapter.merge_columns(contracts__staged_view(), 'merge_update_columns', merge_update_columns) -%}
  {{- return(default__get_merge_update_columns(updated, merge_exclude_columns, dest_columns)) -}}
{% endmacro %}

{#-
    Overrides dbt-spark's macro, for two configs of dbt-databricks: matched_condition, a condition for the update
    of a row, and skip_matched_step, with which no row is updated.
-#}
{% macro spark__get_merge_sql(target, source, unique_key, dest_columns, incremental_predicates) %}
  {%- set keys = [unique_key] if unique_key is string else unique_key or [] -%}
  {%- set predicates = [] + (incremental_predicates or []) -%}
  {%- for key in keys -%}
    {%- do predicates.append('DBT_INTERNAL_SOURCE.' ~ key ~ ' = DBT_INTERNAL_DEST.' ~ key) -%}
  {%- endfor -%}
  {%- set condition = config.get('matched_condition') -%}
  {%- set updated = get_merge_update_columns(
      config.get('merge_update_columns'), config.get('merge_exclude_columns'), adapter.get_columns_in_relation(target)
  ) -%}
  merge into {{ target }} as DBT_INTERNAL_DEST
  using {{ source }} as DBT_INTERNAL_SOURCE
  on {{ predicates | join(' and ') if keys else 'false' }}
  {%- if not config.get('skip_matched_step') %}
  when matched {{ 'and (' ~ condition ~ ')' if condition }} then update set
    {% for column in updated %}{{ column }} = DBT_INTERNAL_SOURCE.{{ column }}{{ ', ' if not loop.last }}{% else %}*{% endfor %}
  {%- endif %}
  when not matched then insert *
{% endmacro %}

{#
    Limits the staged view of a microbatch model to the rows of its batch.

    Returns:
        The window of the batch as SQL, or none with other strategies.

    Raises:
        A compiler error if dbt passes no batch (a project's own microbatch macro disables batches), or if
        earlier batches would never be built.
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
        this ~ ' exists but was never written, because its first run failed, and dbt would begin with the last '
        ~ 'batches: run it with --full-refresh.'
    ) -%}
  {%- endif -%}
  {{- return(adapter.limit_to_batch(at.staged, config.get('event_time'), model.batch, contracts__has_filtered_input())) -}}
{% endmacro %}

{#
    Args:
        existing_relation: the existing relation, none if absent.

    Returns:
        Whether all rows of the table are replaced. That is on the first run and with --full-refresh. A
        microbatch run with a time window, or of `dbt retry`, replaces only its batches.
#}
{% macro contracts__replaces_all(existing_relation) %}
  {%- if existing_relation is none or not should_full_refresh() -%}
    {{- return(existing_relation is none) -}}
  {%- endif -%}
  {{- return(not (model.batch and (model.previous_batch_results or invocation_args_dict.event_time_start))) -}}
{% endmacro %}

{#- Returns: whether dbt filters an input of this model by its batch. It does for SQL and inputs with event_time. -#}
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
    Writes the staged rows. Merge and append use dbt-spark's SQL. insert_overwrite and microbatch use Spark's
    own commands, which do not depend on the session's settings. delete+insert is one merge.

    Args:
        at: the result of `contracts__begin`.
        strategy: the incremental strategy.
        keys: the keys of a merge or of delete+insert.
        window: the window of a microbatch.
#}
{% macro contracts__write_incrementally(at, strategy, keys, window) %}
  {%- if strategy in ['merge', 'append'] and adapter.has_no_news(at.table, at.staged) -%}
    {#- Nothing is written: a commit without rows would cost as much as one with some. -#}
  {%- elif strategy == 'insert_overwrite' -%}
    {%- do adapter.overwrite_partitions(at.table, at.staged) -%}
  {%- elif strategy == 'microbatch' -%}
    {%- do adapter.overwrite_window(at.table, at.staged, window) -%}
  {%- elif strategy == 'delete+insert' -%}
    {%- do adapter.replace_keys(at.table, at.staged, keys) -%}
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
