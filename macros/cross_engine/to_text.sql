{#-
    Args:
        expression: an SQL expression.

    Returns:
        SQL of it as text of any length.
-#}
{% macro to_text(expression) %}
  {{- return(adapter.dispatch('to_text')(expression)) -}}
{% endmacro %}

{% macro spark__to_text(expression) %}
  {{- return('cast(' ~ expression ~ ' as string)') -}}
{% endmacro %}

{% macro athena__to_text(expression) %}
  {{- return('cast(' ~ expression ~ ' as varchar)') -}}
{% endmacro %}
