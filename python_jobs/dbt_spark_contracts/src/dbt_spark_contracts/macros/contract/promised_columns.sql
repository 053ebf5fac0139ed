{#
    What the table of this model holds: its contract's columns, in order, or, for a model without an
    enforced contract, those of the staged view.

    Out: a list of dicts: name, data_type (as Spark spells it), nullable, comment.
#}
{% macro contracts__promised_columns(staged) %}
  {%- if not config.get('contract').enforced -%}
    {{ return(adapter.get_schema(staged)) }}
  {%- endif -%}
  {%- set promised = [] -%}
  {#- The engine spells the types, so that INT, integer and int are one. -#}
  {%- for column in adapter.get_query_schema(get_empty_schema_sql(model.columns)) -%}
    {%- set written = model.columns[column.name] -%}
    {%- do promised.append({
        'name': column.name,
        'data_type': column.data_type,
        'nullable': 'not_null' not in written.constraints | map(attribute='type') | map('string'),
        'comment': written.description if config.persist_column_docs() else '',
    }) -%}
  {%- endfor -%}
  {{ return(promised) }}
{% endmacro %}
