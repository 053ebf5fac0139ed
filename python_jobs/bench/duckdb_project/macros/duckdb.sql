{#- The macros that the copied data tests and models call, in DuckDB's SQL. -#}

{% macro duckdb__days_between(start, end) %}
  {{- return("date_diff('day', cast(" ~ start ~ " as date), cast(" ~ end ~ " as date))") -}}
{% endmacro %}

{#- Returns: SQL of the run's start time, in UTC. -#}
{% macro run_started() %}
  {{- return("timestamp '" ~ run_started_at.strftime('%Y-%m-%d %H:%M:%S.%f') ~ "'") -}}
{% endmacro %}
