{#- In: a list of SQL expressions of text, not null. Out: SQL of the SHA-256 of them, as 64 hex digits. -#}
{% macro sha256_hex(texts) %}
  {{- return(adapter.dispatch('sha256_hex')(texts)) -}}
{% endmacro %}

{% macro spark__sha256_hex(texts) %}
  {#- Spark takes sha2 for nullable; the coalesce only says that it is not. -#}
  {{- return("coalesce(sha2(concat_ws('|', " ~ texts | join(', ') ~ "), 256), '')") -}}
{% endmacro %}
