{#- The branches of this project's tables, as Iceberg tells of them. -#}

{#
    Out: the relations of those models and seeds whose tables are there now and written by the
    materializations of macros/materializations.
#}
{% macro project_tables() %}
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
{% macro table_refs(tables) %}
  {%- do refresh_tables(tables) -%}
  {%- set queries = [] -%}
  {%- for table in tables -%}
    {%- do queries.append("select '" ~ table ~ "' as table_name, name, snapshot_id from " ~ table ~ '.refs') -%}
  {%- endfor -%}
  {{- return(rows_of(queries | join(' union all '))) -}}
{% endmacro %}

{#- Lets the session see what other processes have done to these tables; Iceberg's catalog keeps them for a while. -#}
{% macro refresh_tables(tables) %}
  {%- for table in tables -%}
    {%- do run_query('refresh table ' ~ table) -%}
  {%- endfor -%}
{% endmacro %}

{#
    In: a branch. Out: the tables that have it: a list of dicts of table_name, from_snapshot_id (main's)
    and to_snapshot_id (the branch's).
#}
{% macro branch_states(branch) %}
  {%- set refs = table_refs(project_tables()) -%}
  {%- set main = {} -%}
  {%- for ref in refs if ref.name == 'main' -%}
    {%- do main.update({ref.table_name: ref.snapshot_id}) -%}
  {%- endfor -%}
  {%- set states = [] -%}
  {%- for ref in refs if ref.name == branch -%}
    {%- do states.append({
        'table_name': ref.table_name,
        'from_snapshot_id': main[ref.table_name],
        'to_snapshot_id': ref.snapshot_id,
    }) -%}
  {%- endfor -%}
  {#- A layer's tables together, so that a reader of them all sees as little in between as can be. -#}
  {{- return(states | sort(attribute='table_name')) -}}
{% endmacro %}

{% macro drop_branches(branch, states) %}
  {%- for state in states -%}
    {%- do run_query('alter table ' ~ state.table_name ~ ' drop branch if exists ' ~ branch) -%}
  {%- endfor -%}
{% endmacro %}

{#- In: a query. Out: its rows, as dicts by column; none of no query. -#}
{% macro rows_of(query) %}
  {%- set rows = [] -%}
  {%- if query -%}
    {%- for row in run_query(query).rows -%}
      {%- do rows.append(row.dict()) -%}
    {%- endfor -%}
  {%- endif -%}
  {{- return(rows) -}}
{% endmacro %}
