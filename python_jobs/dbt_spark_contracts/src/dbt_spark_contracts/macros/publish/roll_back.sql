{#
    dbt run-operation roll_back --args '{to: "2026-01-14 18:00"}'

    Lets readers see what they saw then: main of every table goes back to the snapshot that was published
    last at that time, all or none. Nothing is deleted: a later roll_back can go forward again. The
    next build goes on from there, and so reads again what landed since.

    Args:
        to: the time (UTC), or the name of a run that was published.
        dry_run: whether to change nothing, and only check and tell what would be rolled back.

    Raises an error if a build runs, if `to` is neither, or if a snapshot of then has expired.
#}
{% macro roll_back(to='', dry_run=false) %}
  {%- do adapter.roll_back(contracts__command(), graph, to, dry_run) -%}
{% endmacro %}
