{#
    Overrides dbt-athena's macro.

    Args:
        col_type: a type as in a contract.

    Returns:
        The type in Trino's SQL. A timestamp without a precision gets Iceberg's.
#}
{% macro dml_data_type(col_type) %}
  {{- return(modules.re.sub('\\btimestamp\\b(?! *[(])', 'timestamp(6)', dbt.dml_data_type(col_type | lower) | trim)) -}}
{% endmacro %}
