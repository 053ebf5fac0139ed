{#-
    Args:
        start, end: SQL of two dates or timestamps.

    Returns:
        SQL of the whole days from the date of the first to the date of the second, an int.
-#}
{% macro days_between(start, end) %}
  {{- return(adapter.dispatch('days_between')(start, end)) -}}
{% endmacro %}

{% macro spark__days_between(start, end) %}
  {{- return('datediff(' ~ end ~ ', ' ~ start ~ ')') -}}
{% endmacro %}

{% macro athena__days_between(start, end) %}
  {#- For timestamps, Trino counts periods of 24 hours. -#}
  {{- return(
      "cast(date_diff('day', cast(" ~ start ~ " as date), cast(" ~ end ~ " as date)) as integer)"
  ) -}}
{% endmacro %}
