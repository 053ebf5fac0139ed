{#-
    A model's contract, held against what is staged and against its table: the steps that the
    materializations share. What each does is in the package's contract/, in Python.
-#}

{#
    Out: what the table of this model is promised to hold, an object whose `columns` have a name, data_type
    and nullable: those of its contract, or, for a model without an enforced one, of the staged view. Warns,
    in dbt's words, of constraints that nobody enforces.

    In: the staged view; of a snapshot, those of its columns that are none of the table's, and those that dbt adds.
#}
{% macro contracts__promised_columns(staged, internal=[], dbts_own=[]) %}
  {{- return(adapter.get_promise(
      model, this.incorporate(type='table'), staged, should_full_refresh(), internal, dbts_own
  )) -}}
{% endmacro %}

{#
    Checks a staged model, SQL or Python, against its contract; costs analysis only, no Spark job. Raises
    dbt's own contract error if a name or type differs, or a column may be null that the contract says is
    not. Does nothing for a model without an enforced contract.

    The plugin lifts dbt-core's refusal of contracts on Python models for those materializations only
    that call this macro.
#}
{% macro contracts__check_staged_against_contract(staged, promise) %}
  {%- do adapter.check_staged(promise) -%}
{% endmacro %}

{#- Out: how the existing table (none if absent) differs from what is promised. -#}
{% macro contracts__table_drift(existing_relation, promise) %}
  {%- if existing_relation is not none and not existing_relation.is_iceberg -%}
    {%- do exceptions.raise_compiler_error(
        existing_relation ~ ' exists and is not an Iceberg table: move it away, or give the model another alias.'
    ) -%}
  {%- endif -%}
  {{- return(adapter.get_drift(promise)) -}}
{% endmacro %}

{#
    Checks the existing table against what is promised, before anything is computed or written. Raises a
    compiler error that names each column that differs and that nobody may change, and the way out.
#}
{% macro contracts__check_table_against_contract(existing_relation, drift) %}
  {%- if config.get('file_format') != 'iceberg' -%}
    {%- do exceptions.raise_compiler_error(
        this ~ ': set `+file_format: iceberg`; its materialization writes no other format.'
    ) -%}
  {%- endif -%}
  {%- do adapter.check_table(drift) -%}
{% endmacro %}

{#
    Brings the table to where it can be written: creates it from what is promised, or lets it follow that as
    far as it says so; and lets the run write to a branch of it. Out: the names of its columns, in its order.

    In: what `contracts__begin` and `contracts__check` told.
#}
{% macro contracts__prepare_table(at, checked) %}
  {%- set names = adapter.prepare_table(checked.drift) -%}
  {%- do adapter.open_to_branches(at.table) -%}
  {{- return(names) -}}
{% endmacro %}

{#- Holds the table, once it is written and its post-hooks have run, against what is promised again. -#}
{% macro contracts__check_after_hooks(promise) %}
  {%- do adapter.require_branch() -%}
  {%- do adapter.check_after_hooks(promise, post_hooks | length > 0) -%}
{% endmacro %}
