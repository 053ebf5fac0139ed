{#-
    From text to typed values: null if the text is not a value of the type, never an error.

    Each pattern ends with `\z`: `$` would also match before a line end. No part of one can match the same
    digits as the next part, or a long text would take time by the square of its length.
-#}

{#
    Args:
        text: an SQL expression of text.
        type: string, int, double, date or timestamp.

    Returns:
        SQL of that type. Null for null, and for text that is not such a value.
#}
{% macro read_text(text, type) %}
  {%- set readers = {
      'int': text_to_int, 'double': text_to_double, 'date': text_to_date, 'timestamp': text_to_timestamp
  } -%}
  {{- return(readers[type](text) if type in readers else text) -}}
{% endmacro %}

{#- Also true for null. -#}
{% macro is_blank(text) %}
  {{- return(adapter.dispatch('is_blank')(text)) -}}
{% endmacro %}

{% macro spark__is_blank(text) %}
  {{- return("coalesce(" ~ text ~ ", '') not rlike '\\\\S'") -}}
{% endmacro %}

{% macro athena__is_blank(text) %}
  {#- Java's white space, which Spark uses. -#}
  {{- return("not regexp_like(coalesce(" ~ text ~ ", ''), '[^ \\t\\n\\x0B\\f\\r]')") -}}
{% endmacro %}

{#- A finite JSON number. -0.0 becomes 0.0, which is equal: equal rows must not differ. -#}
{% macro text_to_double(text) %}
  {{- return(adapter.dispatch('text_to_double')(text)) -}}
{% endmacro %}

{% macro spark__text_to_double(text) %}
  {{- return(
      "case when " ~ text ~ " rlike '^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?\\\\z'"
      ~ " and abs(cast(" ~ text ~ " as double)) < double('Infinity') then cast(" ~ text ~ " as double) + 0D end"
  ) -}}
{% endmacro %}

{% macro athena__text_to_double(text) %}
  {%- set number = "try_cast(" ~ text ~ " as double)" -%}
  {{- return(
      "case when regexp_like(" ~ text ~ ", '^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?\\z')"
      ~ " and abs(" ~ number ~ ") < infinity() then " ~ number ~ " + 0e0 end"
  ) -}}
{% endmacro %}

{#- A whole number, also in the form `2025.0`. -#}
{% macro text_to_int(text) %}
  {{- return(adapter.dispatch('text_to_int')(text)) -}}
{% endmacro %}

{% macro spark__text_to_int(text) %}
  {%- set number = text_to_double(text) -%}
  {{- return(
      "case when " ~ number ~ " between -2147483648 and 2147483647 and " ~ number ~ " = floor(" ~ number ~ ")"
      ~ " then cast(" ~ number ~ " as int) end"
  ) -}}
{% endmacro %}

{% macro athena__text_to_int(text) %}
  {%- set number = text_to_double(text) -%}
  {{- return(
      "case when " ~ number ~ " between -2147483648 and 2147483647 and " ~ number ~ " = floor(" ~ number ~ ")"
      ~ " then try_cast(" ~ number ~ " as integer) end"
  ) -}}
{% endmacro %}

{#- `2026-01-15`, for the years 1 to 9999. -#}
{% macro text_to_date(text) %}
  {{- return(adapter.dispatch('text_to_date')(text)) -}}
{% endmacro %}

{% macro spark__text_to_date(text) %}
  {{- return(
      "case when " ~ text ~ " rlike '^[0-9]{4}-[0-9]{2}-[0-9]{2}\\\\z' and left(" ~ text ~ ", 4) != '0000'"
      ~ " then cast(" ~ text ~ " as date) end"
  ) -}}
{% endmacro %}

{% macro athena__text_to_date(text) %}
  {{- return(
      "case when regexp_like(" ~ text ~ ", '^[0-9]{4}-[0-9]{2}-[0-9]{2}\\z') and substr(" ~ text ~ ", 1, 4) != '0000'"
      ~ " then try_cast(substr(" ~ text ~ ", 1, 10) as date) end"
  ) -}}
{% endmacro %}

{#
    ISO 8601 with a zone: `2025-11-04T14:30:00Z`, `2025-11-04T11:30:00.250-03:00`, for the years 1 to
    9999 in UTC. Other forms are not supported: weeks, days of a year, no separators, 24:00, a leap
    second.
-#}
{% macro text_to_timestamp(text) %}
  {{- return(adapter.dispatch('text_to_timestamp')(text)) -}}
{% endmacro %}

{% macro spark__text_to_timestamp(text) %}
  {#- Spark needs the seconds, which are optional in ISO 8601. -#}
  {%- set whole = "if(substr(" ~ text ~ ", 17, 1) = ':', " ~ text
      ~ ", concat(left(" ~ text ~ ", 16), ':00', substr(" ~ text ~ ", 17)))" -%}
  {%- set cast = "cast(upper(translate(" ~ whole ~ ", ',', '.')) as timestamp)" -%}
  {#- Most have this form. Spark's cast would compile a pattern for each zone that it reads. -#}
  {%- set plain = "'^(?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z\\\\z'" -%}
  {%- set seconds = "unix_date(cast(left(" ~ text ~ ", 10) as date)) * 86400L + int(substr(" ~ text ~ ", 12, 2)) * 3600"
      ~ " + int(substr(" ~ text ~ ", 15, 2)) * 60 + int(substr(" ~ text ~ ", 18, 2))" -%}
  {{- return(
      "case when " ~ text ~ " rlike " ~ plain ~ " then timestamp_seconds(" ~ seconds ~ ")"
      ~ " when " ~ text ~ " rlike '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)\\\\z'"
      ~ " and year(" ~ cast ~ ") between 1 and 9999 then " ~ cast ~ " end"
  ) -}}
{% endmacro %}

{% macro athena__text_to_timestamp(text) %}
  {#- By parts: Trino would round a fraction where Spark truncates it, and knows no zone beyond 14 hours. -#}
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
      "case when regexp_like(" ~ text ~ ", '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?([Zz]|[+-][0-9]{2}(:?[0-5][0-9])?)\\z')"
      ~ " and " ~ minutes ~ " <= 1080 and year(" ~ utc ~ ") between 1 and 9999 then " ~ utc ~ " end"
  ) -}}
{% endmacro %}
