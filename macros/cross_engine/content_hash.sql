{#
    In: a list of column names. Out: SQL of a value that is the same for rows with the same values, nulls
    included: an order among rows that depends on what they hold and on nothing else. It is the engine's
    own: of two such rows, Spark and Athena may put another first.
#}
{% macro content_hash(columns) %}
  {{- return(adapter.dispatch('content_hash')(columns)) -}}
{% endmacro %}

{% macro spark__content_hash(columns) %}
  {#- xxhash64 passes over nulls, so each column goes with whether it is one. -#}
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
  {#- As JSON, a null is no text, and no text runs into the next. -#}
  {{- return('xxhash64(to_utf8(json_format(cast(array[' ~ texts | join(', ') ~ '] as json))))') -}}
{% endmacro %}
