{#
    dbt run-operation publish --args '{branch: dbt_20260102t100000_1a2b3c4d}'

    Publishes by hand what a failed run has held back on its branch: all of its tables or none.

    Args:
        branch: the branch.
        dry_run: whether to change nothing, and only check and tell what would be published.

    Raises an error if a build runs, if there is no such branch, or if one of its tables has been written
    since.
#}
{% macro publish(branch='', dry_run=false) %}
  {%- do adapter.publish(contracts__command(), graph, branch, dry_run) -%}
{% endmacro %}
