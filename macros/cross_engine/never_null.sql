{#
    A value that is never null; if it is, the build stops, and no row is missing without a word.

    In: SQL of the value; SQL of any value of its type, which is never reached: by it Spark knows that no null is left.
    Out: SQL.
#}
{% macro never_null(value, any) %}
  {{- return(adapter.dispatch('never_null')(value, any)) -}}
{% endmacro %}

{% macro spark__never_null(value, any) %}
  {{- return("coalesce(" ~ value ~ ", raise_error('" ~ value | replace("'", "") ~ " is null, and never may be'), " ~ any ~ ")") -}}
{% endmacro %}

{#- Trino has no documented function that fails: there, the data tests look. -#}
{% macro athena__never_null(value, any) %}
  {{- return(value) -}}
{% endmacro %}
