{#
    On an incremental run, a condition for the rows that came after what this model already has; true on
    others. A literal, so that Iceberg skips the files of earlier runs.

    In: the time column, of the source and of this model alike. Out: SQL.
#}
{% macro after_last_run(column) %}
  {%- if is_incremental() and execute -%}
    {%- set last = run_query('select ' ~ to_text('max(' ~ column ~ ')') ~ ' from ' ~ this).rows[0][0] -%}
    {{- return(column ~ " > timestamp '" ~ last ~ "'" if last else 'true') -}}
  {%- endif -%}
  {{- return('true') -}}
{% endmacro %}
