{#
    dbt run-operation unlock

    Takes the lease from a dead build and recovers what it left, as the next build would do. Waits until
    the lease has not been renewed for its whole term.

    Raises:
        An error if the lease is renewed.
#}
{% macro unlock() %}{% do adapter.unlock(contracts__command(), graph) %}{% endmacro %}
