{#- The branches of this project's tables, as Iceberg tells of them. -#}

{#
    Out: the relations of those models and seeds whose tables are there now and written by the
    materializations of macros/materializations.
#}
{% macro contracts__project_tables() %}
  {%- set tables = [] -%}
  {%- for node in graph.nodes.values() if node.config.materialized in ('table', 'incremental', 'seed') -%}
    {%- set table = adapter.get_relation(node.database, node.schema, node.alias) -%}
    {%- if table and table not in tables -%}
      {%- do tables.append(table) -%}
    {%- endif -%}
  {%- endfor -%}
  {{- return(tables) -}}
{% endmacro %}

{#
    In: tables, as relations or names. Out: every branch and tag of theirs: a list of dicts of table_name,
    name and snapshot_id.
#}
{% macro contracts__table_refs(tables) %}
  {{- return(adapter.get_refs(tables | map('string') | list)) -}}
{% endmacro %}

{#
    In: a branch, tables. Out: those that have it: a list of dicts of table_name, from_snapshot_id (main's)
    and to_snapshot_id (the branch's).
#}
{% macro contracts__branch_states(branch, tables) %}
  {{- return(adapter.get_branch_states(branch, tables | map('string') | list)) -}}
{% endmacro %}

{% macro contracts__drop_branches(branch, states) %}
  {%- for state in states -%}
    {%- do adapter.drop_branch(state.table_name, branch) -%}
    {%- do adapter.discard_changes(state.table_name, branch) -%}
  {%- endfor -%}
{% endmacro %}

{#- In: a query. Out: its rows, as dicts by column; none of no query. -#}
{% macro contracts__rows_of(query) %}
  {%- set rows = [] -%}
  {%- if query -%}
    {%- for row in run_query(query).rows -%}
      {%- do rows.append(row.dict()) -%}
    {%- endfor -%}
  {%- endif -%}
  {{- return(rows) -}}
{% endmacro %}
