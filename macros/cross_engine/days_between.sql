{#- In: SQL of two dates or timestamps. Out: SQL of the whole days from the first's date to the second's, an int. -#}
{% macro days_between(start, end) %}
  {{- return(adapter.dispatch('days_between')(start, end)) -}}
{% endmacro %}

{% macro spark__days_between(start, end) %}
  {{- return('datediff(' ~ end ~ ', ' ~ start ~ ')') -}}
{% endmacro %}

{% macro athena__days_between(start, end) %}
  {#- Of timestamps, Trino counts times of 24 hours. -#}
  {{- return(
      "cast(date_diff('day', cast(" ~ start ~ " as date), cast(" ~ end ~ " as date)) as integer)"
  ) -}}
{% endmacro %}
