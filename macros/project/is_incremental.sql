{#
    dbt's own macro of this name; false with --no-introspect, where dbt asks the warehouse nothing, and so
    cannot know of a table.
#}
{% macro is_incremental() %}
  {{- return(flags.INTROSPECT is not false and dbt.is_incremental()) -}}
{% endmacro %}
