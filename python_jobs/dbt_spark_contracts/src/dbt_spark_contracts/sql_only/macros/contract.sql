{#
    Build a model with dbt-spark's own materialization. For a SQL model with an enforced contract, compare its columns
    with the contract on every run, compare an existing incremental table with it before the write, and check the rows
    during the write.

    Args:
        materialization: the name of the materialization.
    Returns: the result of the materialization.
#}
{% macro contracts__by_sql(materialization) %}
  {%- for name in ['matched_condition', 'skip_matched_step'] if config.get(name) -%}
    {%- do exceptions.raise_compiler_error(this ~ ': ' ~ name ~ " needs dbt-spark's `method: session`: take it out.") -%}
  {%- endfor -%}
  {%- do adapter.check_what_is_not_traced(model, graph) -%}
  {%- if not model.config.contract.enforced or model.language != 'sql' -%}
    {{ return(adapter.by_dbt_spark(materialization, context)) }}
  {%- endif -%}
  {{ run_hooks(pre_hooks) }}

  {#- 1. stage: so that this Spark spells the types of both. -#}
  {%- set staged = api.Relation.create(identifier=this.identifier ~ '__dbt_stage') -%}
  {%- set promised = api.Relation.create(identifier=this.identifier ~ '__dbt_contract') -%}
  {%- set columns = contracts__columns_of_query(staged, compiled_code) -%}
  {%- set contract = contracts__columns_of_query(promised, get_empty_schema_sql(model.columns)) -%}

  {#- 2. check -#}
  {%- do adapter.check_columns(contract, columns) -%}
  {%- set existing = load_relation(this) -%}
  {%- if materialization == 'incremental' and existing and existing.is_table and not should_full_refresh() -%}
    {%- set there = contracts__columns(existing) -%}
    {%- set missing = adapter.check_drift(this, contract, there, config.get('on_schema_change')) -%}
    {#- dbt-spark's own macro fails with thrift: it fetches rows from a statement that returns none. -#}
    {%- if missing -%}
      {%- call statement('contracts_add') -%}alter table {{ this }} add columns ({{ missing | join(', ') }}){%- endcall -%}
    {%- endif -%}
  {%- endif -%}

  {#- 3. write -#}
  {%- set query = '' if materialization == 'view' else adapter.rows_held(model, staged) -%}
  {%- set result = adapter.by_dbt_spark(materialization, context, query) -%}
  {%- for view in [staged, promised] -%}
    {%- call statement('contracts_drop') -%}drop view if exists {{ view }}{%- endcall -%}
  {%- endfor -%}
  {{ return(result) }}
{% endmacro %}

{#- Create a temporary view of a query. Returns: its columns, see contracts__columns. -#}
{% macro contracts__columns_of_query(view, query) %}
  {%- call statement('contracts_stage') -%}
    create or replace temporary view {{ view }} as
    {{ query }}
  {%- endcall -%}
  {{ return(contracts__columns(view)) }}
{% endmacro %}

{#- Returns: the columns of a table or view, in order, as dicts of name and data_type. -#}
{% macro contracts__columns(relation) %}
  {%- call statement('contracts_columns', fetch_result=True) -%}
    describe table {{ relation }}
  {%- endcall -%}
  {{ return(adapter.columns_described(load_result('contracts_columns').table.rows)) }}
{% endmacro %}
