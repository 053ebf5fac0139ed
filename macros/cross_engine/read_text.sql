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

{% macro athena__is_blank(text) %}
  {#- Java's white space, as Spark knows it. -#}
  {{- return("not regexp_like(coalesce(" ~ text ~ ", ''), '[^ \\t\\n\\x0B\\f\\r]')") -}}
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

{% macro athena__text_to_double(text) %}
  {%- set number = "try_cast(" ~ text ~ " as double)" -%}
  {{- return(
      "case when regexp_like(" ~ text ~ ", '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$')"
      ~ " and abs(" ~ number ~ ") < infinity() then " ~ number ~ " + 0e0 end"
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

{% macro athena__text_to_int(text) %}
  {%- set number = text_to_double(text) -%}
  {{- return(
      "case when abs(" ~ number ~ ") <= 2147483647 and " ~ number ~ " = floor(" ~ number ~ ")"
      ~ " then try_cast(" ~ number ~ " as integer) end"
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

{% macro athena__text_to_date(text) %}
  {{- return(
      "case when regexp_like(" ~ text ~ ", '^[0-9]{4}-[0-9]{2}-[0-9]{2}$') and substr(" ~ text ~ ", 1, 4) != '0000'"
      ~ " then try_cast(substr(" ~ text ~ ", 1, 10) as date) end"
  ) -}}
{% endmacro %}

{#
    ISO 8601 with a zone: `2025-11-04T14:30:00Z`, `2025-11-04T11:30:00.250-03:00`; of the years 1 to 9999 in UTC.
    Not its other forms: weeks, days of a year, without separators, 24:00, a leap second.
-#}
{% macro text_to_timestamp(text) %}
  {{- return(adapter.dispatch('text_to_timestamp')(text)) -}}
{% endmacro %}

{% macro spark__text_to_timestamp(text) %}
  {#- Spark cannot do without the seconds, which ISO 8601 can. -#}
  {%- set whole = "if(substr(" ~ text ~ ", 17, 1) = ':', " ~ text
      ~ ", concat(left(" ~ text ~ ", 16), ':00', substr(" ~ text ~ ", 17)))" -%}
  {%- set cast = "cast(upper(translate(" ~ whole ~ ", ',', '.')) as timestamp)" -%}
  {#- Most are written as Spark itself reads them, and are read at once. -#}
  {%- set plain = "'^(?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?Z$'" -%}
  {{- return(
      "case when " ~ text ~ " rlike " ~ plain ~ " then cast(" ~ text ~ " as timestamp)"
      ~ " when " ~ text ~ " rlike '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)$'"
      ~ " and year(" ~ cast ~ ") between 1 and 9999 then " ~ cast ~ " end"
  ) -}}
{% endmacro %}

{% macro athena__text_to_timestamp(text) %}
  {#- By its parts: Trino would round a fraction where Spark cuts it, and knows no zone beyond 14 hours. -#}
  {%- set time_pattern = "'^.{16}(:[0-9]{2}([.,][0-9]{1,6})?)'" -%}
  {%- set zone_pattern = "'([+-])([0-9]{2}):?([0-9]{2})?$'" -%}
  {%- set local = "try_cast(concat(substr(" ~ text ~ ", 1, 10), ' ', substr(" ~ text ~ ", 12, 5), replace(coalesce(regexp_extract("
      ~ text ~ ", " ~ time_pattern ~ ", 1), ':00'), ',', '.')) as timestamp(6))" -%}
  {%- set zone = [] -%}
  {%- for group in [1, 2, 3] -%}
    {%- do zone.append("regexp_extract(" ~ text ~ ", " ~ zone_pattern ~ ", " ~ group ~ ")") -%}
  {%- endfor -%}
  {%- set minutes = "coalesce(try_cast(" ~ zone[1] ~ " as integer) * 60 + coalesce(try_cast(" ~ zone[2] ~ " as integer), 0), 0)" -%}
  {%- set utc = "date_add('minute', if(" ~ zone[0] ~ " = '-', 1, -1) * " ~ minutes ~ ", " ~ local ~ ")" -%}
  {{- return(
      "case when regexp_like(" ~ text ~ ", '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?([Zz]|[+-][0-9]{2}(:?[0-5][0-9])?)$')"
      ~ " and " ~ minutes ~ " <= 1080 and year(" ~ utc ~ ") between 1 and 9999 then " ~ utc ~ " end"
  ) -}}
{% endmacro %}
