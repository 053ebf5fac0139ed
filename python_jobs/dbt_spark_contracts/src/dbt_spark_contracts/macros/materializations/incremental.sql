{#
    A model, SQL or Python, whose rows are merged into, or appended to, its Iceberg table.

    The same steps as `table`; only the write differs, by dbt-spark's incremental_strategy (merge with a
    unique_key, else append; insert_overwrite, microbatch). The first run and --full-refresh overwrite;
    nothing is ever dropped.
#}
{% materialization incremental, adapter='spark', supported_languages=['sql', 'python'] %}
  {%- set at = contracts__begin() -%}
  {#- A wrong one is told on the first run, and not by the second. -#}
  {%- set strategy = contracts__incremental_strategy() -%}
  {{ contracts__run_hooks(pre_hooks) }}

  {#- 1. stage -#}
  {%- do contracts__stage(at.staged) -%}

  {#- 2. check, before anything is computed -#}
  {%- set checked = contracts__check(at) -%}
  {%- set window = contracts__limit_to_batch(at, strategy) -%}
  {%- do contracts__checkpoint(at) -%}

  {#- 3. the table -#}
  {%- set names = contracts__prepare_table(at, checked) -%}

  {#- 4. write -#}
  {%- if contracts__replaces_all(at.existing) -%}
    {%- do contracts__overwrite(at, names) -%}
  {%- else -%}
    {%- do contracts__write_incrementally(at, strategy, window) -%}
  {%- endif -%}

  {#- 5. publish: at the end of the run, end_run does -#}
  {{ return(contracts__end(at, checked, should_full_refresh())) }}
{% endmaterialization %}
