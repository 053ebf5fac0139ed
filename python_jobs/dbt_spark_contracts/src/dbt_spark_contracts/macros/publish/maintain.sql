{#
    dbt run-operation maintain --args '{keep_days: 7}'

    What Iceberg's tables need from time to time, by Iceberg's own actions: branches that failed runs
    have held back go, small files become larger ones, snapshots older than keep_days expire. A file that no
    snapshot knows, of a killed run for instance, is deleted when it is three days old.

    Args:
        keep_days: a number of days.
        tables: the names of the tables to look after; without, all of the project.
        dry_run: whether to change nothing, and only tell what would be done.

    Raises an error if a build runs.
#}
{% macro maintain(keep_days=7, tables=[], dry_run=false) %}
  {%- do adapter.maintain(contracts__command(), graph, keep_days, tables, dry_run) -%}
{% endmacro %}
