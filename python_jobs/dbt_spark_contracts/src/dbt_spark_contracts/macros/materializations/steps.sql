{#- The steps that `table` and `incremental` share. -#}

{#
    Out: the relation of the temporary view that this model is staged as. All threads share one
    session, so the schema is part of its name, and so is the batch of a microbatch model.
#}
{% macro contracts__staged_view() %}
  {%- set batch = '__' ~ model.batch.id if model.batch else '' -%}
  {{ return(api.Relation.create(identifier=this.schema ~ '__' ~ this.identifier ~ batch ~ '__dbt_stage')) }}
{% endmacro %}

{#- Raises an error if the run should have begun, and has not: no lock and no branch means no write. -#}
{% macro contracts__require_begun() %}
  {%- for name, way_out in {
      'sql_header': 'say it in a pre_hook',
      'clustered_by': 'say `partition_by: ["bucket(8, column)"]`',
      'options': 'say it in tblproperties',
  }.items() if config.get(name) -%}
    {%- do exceptions.raise_compiler_error(this ~ ': ' ~ name ~ ' has no meaning for an Iceberg table here: ' ~ way_out ~ '.') -%}
  {%- endfor -%}
  {%- do adapter.require_begun(this, contracts__command(), graph) -%}
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
