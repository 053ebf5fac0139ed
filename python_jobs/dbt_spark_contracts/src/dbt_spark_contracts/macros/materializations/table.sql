{#
    A model, SQL or Python, becomes an Iceberg table whose whole content is this run's.

    The table is never dropped or replaced: it is overwritten, so that older snapshots stay readable.
    Config: contract, checkpoint (Python only, default true), on_schema_change, partition_by,
    tblproperties, persist_docs. Raises dbt's contract error if the model does not keep its contract,
    and a compiler error, naming the columns, if the existing table does not.
#}
{% materialization table, adapter='spark', supported_languages=['sql', 'python'] %}
  {%- set at = contracts__begin() -%}
  {{ contracts__run_hooks(pre_hooks) }}

  {#- 1. stage -#}
  {%- do contracts__stage(at.staged) -%}

  {#- 2. check, before anything is computed -#}
  {%- set checked = contracts__check(at) -%}
  {%- do contracts__checkpoint(at) -%}

  {#- 3. the table -#}
  {%- set names = contracts__prepare_table(at, checked) -%}

  {#- 4. write -#}
  {%- do contracts__overwrite(at, names) -%}

  {#- 5. publish: at the end of the run, end_run does -#}
  {{ return(contracts__end(at, checked)) }}
{% endmaterialization %}
