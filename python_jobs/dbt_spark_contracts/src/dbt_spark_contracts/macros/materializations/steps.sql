{#- The steps that `table` and `incremental` share. -#}

{#
    Out: the relation of the temporary view that this model is staged as. All threads share one
    session, so the schema is part of its name.
#}
{% macro contracts__staged_view() %}
  {{ return(api.Relation.create(identifier=this.schema ~ '__' ~ this.identifier ~ '__dbt_stage')) }}
{% endmacro %}

{#
    In: the view's relation, the model's compiled code. Out: the code, in the model's language, to run
    for its rows. Nothing is computed yet. Raises Spark's error if the code of a SQL model is no query.

    A Python model names its rows `staged` itself; those of a query are named by `adapter.stage_query`.
#}
{% macro contracts__stage(staged, compiled_code) %}
  {%- if model.language == 'python' -%}
{{ compiled_code }}

stage(model, dbtObj, "{{ staged }}")
  {%- else -%}
    {%- do adapter.require_query(compiled_code) -%}
{{ compiled_code }}
  {%- endif -%}
{% endmacro %}

{#
    In: the table's relation, the names of its columns in its order, the staged view. Out: SQL that
    replaces every row of the table by the staged ones, by name. Not `insert overwrite`, which replaces
    some partitions only where the session says so.
#}
{% macro contracts__overwrite_sql(target_relation, names, staged) %}
  insert into {{ target_relation }} replace where true
  select {% for name in names %}{{ adapter.quote(name) }}{{ ', ' if not loop.last }}{% endfor %}
  from {{ staged }}
{% endmacro %}

{#- Out: SQL that adds the staged rows by the model's incremental strategy; dbt-spark's own. -#}
{% macro contracts__incremental_sql(target_relation, existing_relation, staged) %}
  {{ dbt_spark_get_incremental_sql(
      contracts__incremental_strategy(), staged, target_relation, existing_relation, config.get('unique_key'),
      config.get('predicates') or config.get('incremental_predicates')
  ) }}
{% endmacro %}

{#- Out: the model's incremental strategy. Raises dbt-spark's compiler error if it knows none of that name. -#}
{% macro contracts__incremental_strategy() %}
  {%- set strategy = config.get('incremental_strategy') or ('merge' if config.get('unique_key') else 'append') -%}
  {{ return(dbt_spark_validate_get_incremental_strategy(strategy, 'iceberg')) }}
{% endmacro %}
