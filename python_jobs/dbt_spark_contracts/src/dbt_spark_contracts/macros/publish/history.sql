{#
    dbt run-operation history --args '{limit: 20}'

    Lists what was published, held back and rolled back, newest first.

    Args:
        limit: the maximum number of lines.
#}
{% macro history(limit=20) %}{% do adapter.history(contracts__command(), graph, limit) %}{% endmacro %}
