{#
    Whether a row comes after another one in an order of several values.

    Trino compares no tuples with nulls, and evaluates a merge's condition for new keys too.

    Args:
        values: a list of SQL, the first decides first.
        others: the same of the other row.

    Returns:
        SQL.
#}
{% macro is_later(values, others) %}
  {%- set order = namespace(sql='false') -%}
  {%- for value, other in zip(values, others) | list | reverse -%}
    {%- set order.sql = value ~ ' > ' ~ other ~ ' or ' ~ value ~ ' = ' ~ other ~ ' and (' ~ order.sql ~ ')' -%}
  {%- endfor -%}
  {{- return(order.sql) -}}
{% endmacro %}
