{#
    dbt run-operation maintain --args '{keep_days: 7}'

    Maintains the tables with Iceberg's own actions: drops branches that failed runs have held back,
    compacts small files, and expires old snapshots. Orphan files, for example of a killed run, are
    deleted after three days.

    Args:
        keep_days: the age in days at which snapshots expire.
        tables: the names of the tables. Default: all of the project.
        dry_run: whether to only report what would be done.

    Raises:
        An error if a build runs.
#}
{% macro maintain(keep_days=7, tables=[], dry_run=false) %}
  {%- do adapter.maintain(contracts__command(), graph, keep_days, tables, dry_run) -%}
{% endmacro %}
