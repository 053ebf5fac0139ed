{#
    A model, SQL or Python, becomes an Iceberg table whose whole content is this run's.

    The table is never dropped or replaced: it is overwritten, so that older snapshots stay readable.
    Config: contract, checkpoint (Python only, default true), on_schema_change, partition_by,
    tblproperties, persist_docs. Raises dbt's contract error if the model does not keep its contract,
    and a compiler error, naming the columns, if the existing table does not.
#}
{% materialization table, adapter='spark', supported_languages=['sql', 'python'] %}
  {%- do contracts__require_begun() -%}
  {%- set target_relation = this.incorporate(type='table', is_iceberg=true) -%}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set staged = contracts__staged_view() -%}

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
  {%- if model.language == 'python' and config.get('checkpoint', true) -%}
    {%- do adapter.checkpoint(staged) -%}
  {%- endif -%}

  {#- 3. the table -#}
  {%- set names = contracts__prepare_table(target_relation, existing_relation, columns, drift) -%}

  {#- 4. write -#}
  {%- call statement('write') -%}
    {{ contracts__overwrite_sql(target_relation, names, staged) }}
  {%- endcall -%}

  {#- 5. publish: at the end of the run, end_run does -#}

  {%- do adapter.drop_stage(staged) -%}
  {%- do apply_grants(target_relation, config.get('grants'), should_revoke(existing_relation, true)) -%}
  {{ run_hooks(post_hooks) }}
  {%- do contracts__check_after_hooks(columns) -%}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
