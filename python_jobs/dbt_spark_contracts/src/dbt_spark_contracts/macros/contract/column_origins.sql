{#
    Reads off Spark's plan where each column of a staged model, SQL or Python, comes from, keeps it for
    target/column_lineage.json, and holds it against the marks `silver_only` and `pii` in the columns'
    meta; costs analysis only, no Spark job.

    In: the staged view, and which of its columns are none of the table's. Out: the marks that a snapshot's
    columns take over. Raises a compiler error that names each column that hands on what it may not, under
    whatever name; warns of columns that cannot be traced, below a model that has marked ones.
#}
{% macro contracts__check_column_origins(staged, internal=[]) %}
  {#- What a model asks of the run itself is no part of how its columns are made. -#}
  {%- set volatile = [run_started_at.isoformat(), run_started_at.date() | string] -%}
  {%- set lineage = adapter.trace_columns(staged, model, graph, volatile, internal) -%}
  {%- for line in adapter.find_untraced(model, lineage, graph) -%}
    {%- do exceptions.warn(line) -%}
  {%- endfor -%}
  {%- set leaks = adapter.find_leaks(model, lineage, graph) -%}
  {%- if leaks -%}
    {%- do exceptions.raise_compiler_error(
        'This model hands on columns that have to stay where they are.\n\n' ~ leaks | join('\n')
        ~ '\n\nLeave them out. Of what is marked silver_only a hash may pass; of what is marked pii'
        ~ ' nothing, unless pii_allowed in the model\'s meta says why.'
    ) -%}
  {%- endif -%}
  {{- return(adapter.find_inherited(model, lineage, graph)) -}}
{% endmacro %}
