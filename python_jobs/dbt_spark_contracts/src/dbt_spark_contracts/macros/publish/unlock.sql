{#
    dbt run-operation unlock

    Takes the lock away from a build that is dead, and clears up after it, as the next build does by itself.
    Waits until the lock has not been renewed for its whole term. Raises an error if it is renewed.
#}
{% macro unlock() %}{% do adapter.unlock(contracts__command(), graph) %}{% endmacro %}
