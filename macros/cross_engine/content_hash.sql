{#
    An order of rows that depends on their content and on nothing else. Spark and Athena may order two
    rows differently.

    Args:
        columns: a list of column names.

    Returns:
        SQL of a value that is the same for rows with the same values, including nulls.
#}
{% macro content_hash(columns) %}
  {{- return(adapter.dispatch('content_hash')(columns)) -}}
{% endmacro %}

{% macro spark__content_hash(columns) %}
  {#- xxhash64 skips nulls, so each column is hashed together with whether it is null. -#}
  {%- set parts = [] -%}
  {%- for column in columns -%}
    {%- do parts.append(column ~ ', ' ~ column ~ ' is null') -%}
  {%- endfor -%}
  {{- return('xxhash64(' ~ parts | join(', ') ~ ')') -}}
{% endmacro %}

{% macro athena__content_hash(columns) %}
  {%- set texts = [] -%}
  {%- for column in columns -%}
    {%- do texts.append(to_text(column)) -%}
  {%- endfor -%}
  {#- In JSON a null differs from any text, and two texts cannot run together. -#}
  {{- return('xxhash64(to_utf8(json_format(cast(array[' ~ texts | join(', ') ~ '] as json))))') -}}
{% endmacro %}
