{#
    dbt run-operation maintain --args '{keep_days: 7}'

    What Iceberg's tables need from time to time, by Iceberg's own actions: branches that failed runs
    have held back go, small files become larger ones, snapshots older than keep_days expire. A file that no
    snapshot knows, of a killed run for instance, is deleted when it is three days old.

    Raises an error if a build runs.
#}
{% macro maintain(keep_days=7) %}{% do adapter.maintain(contracts__command(), graph, keep_days) %}{% endmacro %}
