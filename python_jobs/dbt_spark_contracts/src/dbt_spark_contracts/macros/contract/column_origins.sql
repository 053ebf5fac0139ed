{#
    Reads off Spark's plan where each column of a staged model, SQL or Python, comes from, keeps it for
    target/column_lineage.json, and holds it against the marks `stays_in` and `pii` in the columns'
    meta; costs analysis only, no Spark job.

    Args:
        staged: the staged view.
        internal: the columns of the view that the table does not have.

    Returns:
        The marks that a snapshot's columns inherit.

    Raises:
        A compiler error that names each column that passes on a marked one, under any name, and
        under a contract each column that cannot be traced.
#}
{% macro contracts__check_column_origins(staged, internal=[]) %}
  {#- The run's own values, such as its time, are not part of how columns are made. -#}
  {%- set micros = (run_started_at.timestamp() * 1000000) | round | int | string -%}
  {%- set volatile = [run_started_at.isoformat(), run_started_at.date() | string, micros] -%}
  {{- return(adapter.check_origins(staged, model, graph, volatile, internal)) -}}
{% endmacro %}
