{#- What the copied data tests and models ask of an engine, in DuckDB's SQL. -#}

{% macro duckdb__days_between(start, end) %}
  {{- return("date_diff('day', cast(" ~ start ~ " as date), cast(" ~ end ~ " as date))") -}}
{% endmacro %}

{#- Out: SQL of the time at which the run began, UTC. -#}
{% macro run_started() %}
  {{- return("timestamp '" ~ run_started_at.strftime('%Y-%m-%d %H:%M:%S.%f') ~ "'") -}}
{% endmacro %}
