{#
    A value that is never null. A null stops the build, so that no row is lost silently.

    Args:
        value: SQL of the value.
        any: SQL of any value of its type. It is never reached, but proves to Spark that no null is
            left.

    Returns:
        SQL.
#}
{% macro never_null(value, any) %}
  {{- return(adapter.dispatch('never_null')(value, any)) -}}
{% endmacro %}

{% macro spark__never_null(value, any) %}
  {{- return("coalesce(" ~ value ~ ", raise_error('" ~ value | replace("'", "") ~ " is null, and never may be'), " ~ any ~ ")") -}}
{% endmacro %}

{#- Trino has no documented function that fails. There, data tests check it. -#}
{% macro athena__never_null(value, any) %}
  {{- return(value) -}}
{% endmacro %}
