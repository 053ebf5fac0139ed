{#
    A model, SQL or Python, whose rows are merged into, or appended to, its Iceberg table.

    The same steps as `table`; only the write differs, by dbt-spark's incremental_strategy (merge with a
    unique_key, else append; insert_overwrite, microbatch). The first run and --full-refresh overwrite;
    nothing is ever dropped. (The steps stand in both files because dbt runs Python from a
    materialization's own body only.)
#}
{% materialization incremental, adapter='spark', supported_languages=['sql', 'python'] %}
  {%- do contracts__require_begun() -%}
  {%- set target_relation = this.incorporate(type='table', is_iceberg=true) -%}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set staged = contracts__staged_view() -%}
  {#- A wrong one is told on the first run, and not by the second. -#}
  {%- set strategy = contracts__incremental_strategy() -%}

  {{ run_hooks(pre_hooks) }}

  {#- 1. stage -#}
  {%- call statement('main', language=model.language) -%}
    {{ contracts__stage(staged, compiled_code) }}
  {%- endcall -%}
  {%- if model.language == 'sql' -%}
    {%- do adapter.stage_query(staged) -%}
  {%- endif -%}

  {#- 2. check, before anything is computed -#}
  {%- set columns = contracts__promised_columns(staged) -%}
  {%- do contracts__check_staged_against_contract(staged, columns) -%}
  {%- do contracts__check_column_origins(staged) -%}
  {%- set drift = contracts__table_drift(existing_relation, columns) -%}
  {%- do contracts__check_table_against_contract(existing_relation, drift) -%}
  {%- set window = contracts__limit_to_batch(staged, existing_relation, strategy) -%}
  {%- if model.language == 'python' and config.get('checkpoint', true) -%}
    {%- do adapter.checkpoint(staged) -%}
  {%- endif -%}

  {#- 3. the table -#}
  {%- set names = contracts__prepare_table(target_relation, existing_relation, columns, drift) -%}

  {#- 4. write -#}
  {%- if contracts__replaces_all(existing_relation) -%}
    {%- call statement('write') -%}
      {{ contracts__overwrite_sql(target_relation, names, staged) }}
    {%- endcall -%}
  {%- else -%}
    {%- do contracts__write_incrementally(strategy, target_relation, existing_relation, staged, window) -%}
  {%- endif -%}

  {#- 5. publish: at the end of the run, end_run does -#}

  {%- do adapter.drop_stage(staged) -%}
  {%- do apply_grants(target_relation, config.get('grants'), should_revoke(existing_relation, should_full_refresh())) -%}
  {{ run_hooks(post_hooks) }}
  {%- do contracts__check_after_hooks(columns) -%}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
