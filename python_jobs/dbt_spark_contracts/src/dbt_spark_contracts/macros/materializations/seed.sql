{#
    Builds an Iceberg table from a seed, in the same steps as a model. A run overwrites the table, unless
    it has the rows of the file, by the note of its last write. (dbt-spark would drop and recreate it.
    Readers would have no table in between, and its history would be lost.)

    With hooks, and with --full-refresh, it is always written.

    Config: column_types, and the configs of `table`.
#}
{% materialization seed, adapter='spark' %}
  {%- if adapter.is_unguarded(this, model, graph) -%}
    {{ return(contracts__by_dbt_spark('seed')) }}
  {%- endif -%}
  {%- set at = contracts__begin() -%}
  {%- do adapter.require_lines(model) -%}
  {%- set agate_table = load_agate_table() -%}
  {%- do store_result('agate_table', response='OK', agate_table=agate_table) -%}
  {{ contracts__run_hooks(pre_hooks) }}

  {#- 1. stage -#}
  {%- set types = contracts__seed_types(agate_table) -%}
  {%- do adapter.stage_seed(at.staged, agate_table.rows, types) -%}

  {#- 2. check -#}
  {%- set checked = contracts__check(at) -%}

  {#- 3. the table -#}
  {%- set names = contracts__prepare_table(at, checked) -%}

  {#- 4. write -#}
  {%- set may_be_skipped = not (pre_hooks or post_hooks or should_full_refresh()) -%}
  {%- if adapter.has_rows_of_seed(at.table, agate_table.rows, types) and may_be_skipped -%}
    {%- call noop_statement('main', 'unchanged', 'INSERT', 0) -%}{%- endcall -%}
  {%- else -%}
    {%- do contracts__overwrite(at, names) -%}
    {%- set rows = agate_table.rows | length -%}
    {%- call noop_statement('main', 'INSERT ' ~ rows, 'INSERT', rows) -%}{%- endcall -%}
  {%- endif -%}

  {#- 5. publish: end_run does it at the end of the run -#}
  {{ return(contracts__end(at, checked)) }}
{% endmaterialization %}

{#- Returns: the type of each column of a seed, from its config, or else as dbt inferred it. -#}
{% macro contracts__seed_types(agate_table) %}
  {%- set types = {} -%}
  {%- for name in agate_table.column_names -%}
    {%- do types.update({name: config.get('column_types', {}).get(name, adapter.convert_type(agate_table, loop.index0))}) -%}
  {%- endfor -%}
  {{ return(types) }}
{% endmacro %}
