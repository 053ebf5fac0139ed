{#
    In: a list of column names. Out: SQL of a number that is the same for rows with the same values, nulls
    included: an order among rows that depends on what they hold and on nothing else.
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
