{#
    dbt-athena's macro with which its materializations create every table. In addition it casts a
    model's SQL to its contract: Athena takes a table's types from its query, and Iceberg does not
    support Trino's default `timestamp` of milliseconds.

    Raises:
        dbt's contract error for a column of another name or type than promised.
#}
{% macro athena__create_table_as(temporary, relation, compiled_code, language='sql', skip_partitioning=false) %}
  {%- if language == 'sql' and config.get('contract').enforced -%}
    {#- Before the casts, which would hide a violation. -#}
    {%- do get_assert_columns_equivalent(compiled_code) -%}
    {%- set compiled_code = contracts__cast_to_contract(compiled_code) -%}
  {%- endif -%}
  {{- return(dbt.athena__create_table_as(temporary, relation, compiled_code, language, skip_partitioning)) -}}
{% endmacro %}

{#-
    Args:
        sql: a query.

    Returns:
        A query of its rows, with the columns of this model's contract, in order.
-#}
{% macro contracts__cast_to_contract(sql) %}
select
    {%- for column in model.columns.values() %}
    {%- set name = adapter.quote(column.name) %}
    cast({{ name }} as {{ dml_data_type(column.data_type) }}) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
from (
{{ sql }}
) as model_rows
{% endmacro %}
