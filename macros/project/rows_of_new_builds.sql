{#
    The rows of a relation that this model has not been built from, on an incremental run. Otherwise all
    rows.

    On Spark, Iceberg's snapshots tell what is new. On Athena, and where they do not tell, it is the rows
    of builds that this model has no row of.

    Args:
        relation: the relation that is read. It has `ingested_at`.
        kept: a condition for its rows that may stay here.

    Returns:
        SQL for the `from` of a query.
#}
{% macro rows_of_new_builds(relation, kept='true') %}
  {{- return(adapter.dispatch('rows_of_new_builds')(relation, kept)) -}}
{% endmacro %}

{% macro spark__rows_of_new_builds(relation, kept) %}
  {{- return(new_rows(relation) or default__rows_of_new_builds(relation, kept)) -}}
{% endmacro %}

{% macro default__rows_of_new_builds(relation, kept) %}
  {{- return('(select * from ' ~ relation ~ ' where ' ~ of_new_builds(relation, kept) ~ ')') -}}
{% endmacro %}
