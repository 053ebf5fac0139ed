{#
    The given rows of a Python model's unit test, for a parent with known columns. For other parents
    dbt's get_fixture_sql asks the table. Like that macro, this one fills missing values with null and
    ignores the case of names.

    Args:
        rows: the rows as dicts.
        columns: the parent's columns as {name: type}.

    Returns:
        A query.

    Raises:
        dbt's compiler error for an unknown column.
#}
{% macro contracts__fixture_sql(rows, columns) %}
  {%- set types = {} -%}
  {%- set quoted = {} -%}
  {%- set nulls = {} -%}
  {%- for name, data_type in columns.items() -%}
    {%- do types.update({name | lower: data_type}) -%}
    {%- do quoted.update({name | lower: adapter.quote(name)}) -%}
    {%- do nulls.update({name | lower: safe_cast('null', data_type) | trim}) -%}
  {%- endfor -%}
  {%- for row in rows or [{}] -%}
    {%- set values = nulls.copy() -%}
    {%- do values.update(format_row(row, types)) -%}
select {% for name, value in values.items() %}{{ value }} as {{ quoted[name] }}{{ ', ' if not loop.last }}{% endfor %}
    {{- ' union all ' if not loop.last }}
  {%- endfor -%}
  {{ ' limit 0' if not rows }}
{% endmacro %}
