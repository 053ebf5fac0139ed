{#- dbt-spark's macros for views. A comment is an SQL string, so backslashes are escaped. -#}

{% macro spark__comment_clause() %}
  {%- if config.persist_relation_docs() -%}
    comment {{ contracts__text(model.description) }}
  {%- endif -%}
{% endmacro %}

{% macro get_column_comment_sql(column_name, column_dict) -%}
  {%- set description = (column_dict.get(column_name) or {}).get('description') -%}
  {{ adapter.quote(column_name) }}{% if description %} comment {{ contracts__text(description) }}{% endif %}
{%- endmacro %}

{#- Returns: the text as a string of Spark's SQL. -#}
{% macro contracts__text(text) %}
  {{- return("'" ~ text | trim | replace('\\', '\\\\') | replace("'", "\\'") ~ "'") -}}
{% endmacro %}
