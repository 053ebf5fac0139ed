{#
    The rows given to a Python model's unit test for a parent whose columns are known without its table;
    else dbt's own get_fixture_sql asks the table. As that does, it gives null for what a row leaves out,
    and takes names in any case.

    In: rows as dicts, columns as {name: type}. Out: a query. Raises dbt's compiler error for a column that
    the parent has not.
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
