{#- From text to typed values: null where the text is not a value of the type, never an error. -#}

{#
    In: a SQL expression of text, one of string, int, double, date, timestamp. Out: SQL of that type; null
    for null, and for text that is no such value.
#}
{% macro read_text(text, type) %}
  {%- set readers = {
      'int': text_to_int, 'double': text_to_double, 'date': text_to_date, 'timestamp': text_to_timestamp
  } -%}
  {{- return(readers[type](text) if type in readers else text) -}}
{% endmacro %}

{#- True for null, too. -#}
{% macro is_blank(text) %}
  {{- return(adapter.dispatch('is_blank')(text)) -}}
{% endmacro %}

{% macro spark__is_blank(text) %}
  {{- return("coalesce(" ~ text ~ ", '') not rlike '\\\\S'") -}}
{% endmacro %}

{#- A JSON number, finite; -0.0 is given as 0.0, which equals it: equal rows must not differ. -#}
{% macro text_to_double(text) %}
  {{- return(adapter.dispatch('text_to_double')(text)) -}}
{% endmacro %}

{% macro spark__text_to_double(text) %}
  {{- return(
      "case when " ~ text ~ " rlike '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$'"
      ~ " and abs(cast(" ~ text ~ " as double)) < double('Infinity') then cast(" ~ text ~ " as double) + 0D end"
  ) -}}
{% endmacro %}

{#- A whole number, also as `2025.0`. -#}
{% macro text_to_int(text) %}
  {{- return(adapter.dispatch('text_to_int')(text)) -}}
{% endmacro %}

{% macro spark__text_to_int(text) %}
  {%- set number = text_to_double(text) -%}
  {{- return(
      "case when abs(" ~ number ~ ") <= 2147483647 and " ~ number ~ " = floor(" ~ number ~ ")"
      ~ " then cast(" ~ number ~ " as int) end"
  ) -}}
{% endmacro %}

{#- `2026-01-15`; of the years 1 to 9999. -#}
{% macro text_to_date(text) %}
  {{- return(adapter.dispatch('text_to_date')(text)) -}}
{% endmacro %}

{% macro spark__text_to_date(text) %}
  {{- return(
      "case when " ~ text ~ " rlike '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' and left(" ~ text ~ ", 4) != '0000'"
      ~ " then cast(" ~ text ~ " as date) end"
  ) -}}
{% endmacro %}

{#- ISO 8601 with a zone: `2025-11-04T14:30:00Z`, `2025-11-04T11:30:00.250-03:00`; of the years 1 to 9999 in UTC. -#}
{% macro text_to_timestamp(text) %}
  {{- return(adapter.dispatch('text_to_timestamp')(text)) -}}
{% endmacro %}

{% macro spark__text_to_timestamp(text) %}
  {#- Spark cannot do without the seconds, which ISO 8601 can. -#}
  {%- set whole = "if(substr(" ~ text ~ ", 17, 1) = ':', " ~ text
      ~ ", concat(left(" ~ text ~ ", 16), ':00', substr(" ~ text ~ ", 17)))" -%}
  {%- set cast = "cast(upper(" ~ whole ~ ") as timestamp)" -%}
  {{- return(
      "case when " ~ text ~ " rlike '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?([Zz]|[+-][0-9]{2}:?[0-9]{2})$'"
      ~ " and year(" ~ cast ~ ") between 1 and 9999 then " ~ cast ~ " end"
  ) -}}
{% endmacro %}
