{#
    The steps that build an Iceberg table from a model, SQL or Python.

    Args:
        strategy: the incremental strategy for an existing table. With none, each run replaces all rows.

    Returns:
        The result of the materialization.
#}
{% macro contracts__make_table(strategy=none) %}
  {%- set at = contracts__begin() -%}
  {{ contracts__run_hooks(pre_hooks) }}

  {#- 1. stage -#}
  {%- do contracts__stage(at.staged) -%}

  {#- 2. check, before anything is computed -#}
  {%- set checked = contracts__check(at) -%}
  {%- set keys = contracts__merge_keys(at, strategy) -%}
  {%- set window = contracts__limit_to_batch(at, strategy) -%}
  {%- do contracts__checkpoint(at) -%}

  {#- 3. the table -#}
  {%- set names = contracts__prepare_table(at, checked) -%}

  {#- 4. write -#}
  {%- do adapter.note_what_is_read(at.table, at.staged) -%}
  {%- if strategy is none or contracts__replaces_all(at.existing) -%}
    {%- do contracts__overwrite(at, names) -%}
  {%- else -%}
    {%- do contracts__write_incrementally(at, strategy, keys, window) -%}
  {%- endif -%}

  {#- 5. publish: end_run does it at the end of the run -#}
  {{ return(contracts__end(at, checked, strategy is none or should_full_refresh())) }}
{% endmacro %}
