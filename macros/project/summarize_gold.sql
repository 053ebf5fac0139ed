{#
    After a build: one short table of what is in Gold now, on the terminal, and a word if nothing has
    ever landed.

    A Gold model says in `meta: {newest_event: <SQL expression>}` what its newest event is.
#}
{% macro summarize_gold() %}
  {%- if execute and flags.WHICH in ('build', 'run') -%}
    {%- set queries = [] -%}
    {%- for node in graph.nodes.values() | selectattr('resource_type', 'equalto', 'model')
        | selectattr('config.meta.newest_event', 'defined') -%}
      {%- set table = adapter.get_relation(node.database, node.schema, node.alias) -%}
      {%- if table -%}
        {%- do queries.append(
            "select '" ~ table ~ "' as table_name, count(*) as row_count, "
            ~ to_text('max(' ~ node.config.meta.newest_event ~ ')') ~ ' as newest_event from ' ~ table
        ) -%}
      {%- endif -%}
    {%- endfor -%}
    {%- set tables = [] -%}
    {%- for row in (run_query(queries | join(' union all ')).rows if queries else []) -%}
      {%- do tables.append(row.dict()) -%}
    {%- endfor -%}
    {%- set tables = tables | sort(attribute='table_name') -%}
    {%- if tables -%}
      {%- do log('', info=true) -%}
      {%- do log('%-40s %10s   %s' | format('In Gold now', 'rows', 'newest event'), info=true) -%}
      {%- for table in tables -%}
        {%- do log(
            '%-40s %10s   %s' | format(table.table_name, table.row_count, table.newest_event or '-'), info=true
        ) -%}
      {%- endfor -%}
    {%- endif -%}
    {%- for node in graph.nodes.values() | selectattr('name', 'equalto', 'bronze_car_events')
        if not (flags.EMPTY or tables | sum(attribute='row_count')) -%}
      {%- set bronze = adapter.get_relation(node.database, node.schema, node.alias) -%}
      {%- if bronze and not run_query('select 1 from ' ~ bronze ~ ' limit 1').rows -%}
        {%- do log("No event was found under landing_path '" ~ var('landing_path') ~ "'.", info=true) -%}
      {%- endif -%}
    {%- endfor -%}
  {%- endif -%}
{% endmacro %}
