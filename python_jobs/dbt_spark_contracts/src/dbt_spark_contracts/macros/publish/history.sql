{#
    dbt run-operation history --args '{limit: 20}'

    Lists what was published, held back and rolled back, the newest first.

    Args:
        limit: how many lines at most.
#}
{% macro history(limit=20) %}{% do adapter.history(contracts__command(), graph, limit) %}{% endmacro %}
