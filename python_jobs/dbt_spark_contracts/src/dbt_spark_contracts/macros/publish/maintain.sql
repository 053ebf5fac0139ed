{#
    dbt run-operation maintain --args '{budget: 10m}'

    Maintains the tables as the meta `maintenance` of their nodes says, with Iceberg's own actions: small
    files, delete files and manifests are merged, old snapshots, metadata files and orphan files removed.
    Old branches of failed runs are dropped.

    Args:
        keep_days: the age in days at which snapshots expire, for all tables. Default: as their meta says.
        tables: the names of the tables. Default: all of the project.
        dry_run: whether to only report what would be done.
        budget: the time after which no other action begins, such as 90s, 10m or 1h. Default: no limit.

    Raises:
        An error if a build runs, or if a setting of any node is wrong. Nothing is changed then.
#}
{% macro maintain(keep_days=none, tables=[], dry_run=false, budget=none) %}
  {%- do adapter.maintain(contracts__command(), graph, keep_days, tables, dry_run, budget) -%}
{% endmacro %}
