{#-
    The steps of the materializations that check a model's contract against the staged view and the
    table. The logic is in contract/, in Python.
-#}

{#
    Warns, in dbt's words, about constraints that are not enforced.

    Args:
        staged: the staged view.
        internal: for a snapshot, the columns of the view that the table does not have.
        dbts_own: for a snapshot, the columns that dbt adds.

    Returns:
        The promise for the table of this model. Its `columns` have a name, data_type and nullable.
        They come from the enforced contract, or else from the staged view.
#}
{% macro contracts__promised_columns(staged, internal=[], dbts_own=[]) %}
  {{- return(adapter.get_promise(
      model, this.incorporate(type='table'), staged, should_full_refresh(), internal, dbts_own
  )) -}}
{% endmacro %}

{#
    Checks a staged model, SQL or Python, against its contract. Runs the analyzer, but no Spark job.
    Does nothing for a model without an enforced contract.

    The plugin allows contracts on Python models only for materializations that call this macro.

    Args:
        staged: the staged view.
        promise: the promise.

    Raises:
        dbt's own contract error if a name or type differs, or if a not-null column may be null.
#}
{% macro contracts__check_staged_against_contract(staged, promise) %}
  {%- do adapter.check_staged(promise) -%}
{% endmacro %}

{#- Returns: how the existing table (none if absent) differs from the promise. -#}
{% macro contracts__table_drift(existing_relation, promise) %}
  {%- if existing_relation is not none and not existing_relation.is_iceberg -%}
    {%- do exceptions.raise_compiler_error(
        existing_relation ~ ' exists and is not an Iceberg table: move it away, or give the model another alias.'
    ) -%}
  {%- endif -%}
  {{- return(adapter.get_drift(promise)) -}}
{% endmacro %}

{#
    Checks the existing table against the promise, before anything is computed or written.

    Raises:
        A compiler error that names each difference that is not allowed to change, and the way out.
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
    Creates the table, or changes it as far as the promise allows, and enables writes to a branch of it.

    Args:
        at: the result of `contracts__begin`.
        checked: the result of `contracts__check`.

    Returns:
        The names of the table's columns, in its order.
#}
{% macro contracts__prepare_table(at, checked) %}
  {%- set names = adapter.prepare_table(checked.drift) -%}
  {%- do adapter.open_to_branches(at.table) -%}
  {{- return(names) -}}
{% endmacro %}

{#- Checks the written table against the promise again, after its post-hooks. -#}
{% macro contracts__check_after_hooks(promise) %}
  {%- do adapter.require_branch() -%}
  {%- do adapter.check_after_hooks(promise, post_hooks | length > 0) -%}
{% endmacro %}
