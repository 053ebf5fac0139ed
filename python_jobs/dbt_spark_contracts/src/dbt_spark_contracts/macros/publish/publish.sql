{#
    dbt run-operation publish --args '{branch: dbt_20260102t100000_1a2b3c4d}'

    Publishes what a failed run has held back on its branch: all of its tables, or none.

    Args:
        branch: the branch.
        dry_run: whether to only check and report, without any change.

    Raises:
        An error if a build runs, if the branch does not exist, or if one of its tables has been
        written since.
#}
{% macro publish(branch='', dry_run=false) %}
  {%- do adapter.publish(contracts__command(), graph, branch, dry_run) -%}
{% endmacro %}
