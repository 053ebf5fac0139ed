{#-
    Args:
        texts: a list of SQL expressions of text, not null.

    Returns:
        SQL of their SHA-256, as 64 hex digits.
-#}
{% macro sha256_hex(texts) %}
  {{- return(adapter.dispatch('sha256_hex')(texts)) -}}
{% endmacro %}

{% macro spark__sha256_hex(texts) %}
  {#- Each text is combined with its length: ('a|b', 'c') differs from ('a', 'b|c'). -#}
  {%- set parts = [] -%}
  {%- for text in texts -%}
    {%- do parts.append('length(' ~ text ~ '), ' ~ text) -%}
  {%- endfor -%}
  {#- Spark considers sha2 nullable. The coalesce only declares that it is not. -#}
  {{- return("coalesce(sha2(concat_ws('|', " ~ parts | join(', ') ~ "), 256), '')") -}}
{% endmacro %}

{% macro athena__sha256_hex(texts) %}
  {%- set parts = [] -%}
  {%- for text in texts -%}
    {%- do parts.append(to_text('length(' ~ text ~ ')') ~ ', ' ~ text) -%}
  {%- endfor -%}
  {{- return("lower(to_hex(sha256(to_utf8(concat_ws('|', " ~ parts | join(', ') ~ ")))))") -}}
{% endmacro %}
