{#
    dbt run-operation roll_back --args '{to: "2026-01-14 18:00"}'

    Sets main of every table to the snapshot that readers saw at a time: all tables, or none. Nothing is
    deleted, so a later roll_back can go forward again. The next build continues from there and reads
    again what has landed since.

    Args:
        to: the time (UTC), or the name of a published run.
        dry_run: whether to only check and report, without any change.

    Raises:
        An error if a build runs, if `to` is neither a time nor a run, or if a snapshot has expired.
#}
{% macro roll_back(to='', dry_run=false) %}
  {%- do adapter.roll_back(contracts__command(), graph, to, dry_run) -%}
{% endmacro %}
