{#
    Reads off Spark's plan where each column of a staged model, SQL or Python, comes from, keeps it for
    target/column_lineage.json, and holds it against the marks `stays_in` and `pii` in the columns'
    meta; costs analysis only, no Spark job.

    In: the staged view, and which of its columns are none of the table's. Out: the marks that a snapshot's
    columns take over. Raises a compiler error that names each column that hands on what it may not, under
    whatever name, and of a contract each that cannot be traced.
#}
{% macro contracts__check_column_origins(staged, internal=[]) %}
  {#- What a model asks of the run itself is no part of how its columns are made. -#}
  {%- set micros = (run_started_at.timestamp() * 1000000) | round | int | string -%}
  {%- set volatile = [run_started_at.isoformat(), run_started_at.date() | string, micros] -%}
  {{- return(adapter.check_origins(staged, model, graph, volatile, internal)) -}}
{% endmacro %}
