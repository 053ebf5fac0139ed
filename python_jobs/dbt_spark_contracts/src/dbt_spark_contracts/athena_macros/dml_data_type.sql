{#
    dbt-athena's macro of this name. In: a type as a contract has it. Out: the same in Trino's SQL; of a
    timestamp without a precision, with that of Iceberg.
#}
{% macro dml_data_type(col_type) %}
  {{- return(modules.re.sub('\\btimestamp\\b(?! *[(])', 'timestamp(6)', dbt.dml_data_type(col_type | lower) | trim)) -}}
{% endmacro %}
