{#
    A seed becomes an Iceberg table in the steps of any model, and is overwritten by each run; where
    dbt-spark drops it and makes it anew, and so leaves its readers without it, and without its history.

    Config: column_types, and what `table` takes.
#}
{% materialization seed, adapter='spark' %}
  {%- do contracts__require_begun() -%}
  {%- set target_relation = this.incorporate(type='table', is_iceberg=true) -%}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set staged = contracts__staged_view() -%}
  {%- set agate_table = load_agate_table() -%}
  {%- do store_result('agate_table', response='OK', agate_table=agate_table) -%}

  {{ run_hooks(pre_hooks) }}

  {#- 1. stage -#}
  {%- do adapter.stage_seed(staged, agate_table.rows, contracts__seed_types(agate_table)) -%}

  {#- 2. check -#}
  {%- set columns = contracts__promised_columns(staged) -%}
  {%- set drift = contracts__table_drift(existing_relation, columns) -%}
  {%- do contracts__check_table_against_contract(existing_relation, drift) -%}

  {#- 3. the table -#}
  {%- set names = contracts__prepare_table(target_relation, existing_relation, columns, drift) -%}

  {#- 4. write -#}
  {%- set rows = agate_table.rows | length -%}
  {%- call statement('write') -%}
    {{ contracts__overwrite_sql(target_relation, names, staged) }}
  {%- endcall -%}
  {%- call noop_statement('main', 'INSERT ' ~ rows, 'INSERT', rows) -%}{%- endcall -%}

  {#- 5. publish: at the end of the run, end_run does -#}

  {%- do adapter.drop_stage(staged) -%}
  {%- do apply_grants(target_relation, config.get('grants'), should_revoke(existing_relation, true)) -%}
  {{ run_hooks(post_hooks) }}
  {%- do contracts__check_after_hooks(columns) -%}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#- Out: the type of each of a seed's columns: what its config says, else what dbt found in the file. -#}
{% macro contracts__seed_types(agate_table) %}
  {%- set types = {} -%}
  {%- for name in agate_table.column_names -%}
    {%- do types.update({name: config.get('column_types', {}).get(name, adapter.convert_type(agate_table, loop.index0))}) -%}
  {%- endfor -%}
  {{ return(types) }}
{% endmacro %}
