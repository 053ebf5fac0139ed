{#
    Overrides dbt's macro. It is false with --no-introspect: dbt then does not ask the warehouse and
    cannot know of a table.
#}
{% macro is_incremental() %}
  {{- return(flags.INTROSPECT is not false and dbt.is_incremental()) -}}
{% endmacro %}
