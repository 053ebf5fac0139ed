{#
    dbt run-operation publish --args '{branch: dbt_20260102t100000_1a2b3c4d}'

    Publishes by hand what a failed run has held back on its branch: all of its tables or none.

    Raises an error if a build runs, if there is no such branch, or if one of its tables has been written
    since.
#}
{% macro publish(branch='') %}{% do adapter.publish(contracts__command(), graph, branch) %}{% endmacro %}
