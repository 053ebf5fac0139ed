{#
    After a build: one short table of what is in Gold now, on the terminal.

    A Gold model says in `meta: {newest_event: <SQL expression>}` what its newest event is.
#}
{% macro summarize_gold() %}
  {%- if execute and flags.WHICH in ('build', 'run') -%}
    {%- set lines = [] -%}
    {%- for node in graph.nodes.values() | selectattr('resource_type', 'equalto', 'model')
        | selectattr('config.meta.newest_event', 'defined') | sort(attribute='name') -%}
      {%- set table = adapter.get_relation(node.database, node.schema, node.alias) -%}
      {%- if table -%}
        {%- set query = 'select count(*), cast(max(' ~ node.config.meta.newest_event ~ ') as string) from ' ~ table -%}
        {%- set row = run_query(query).rows[0] -%}
        {%- do lines.append('%-40s %10s   %s' | format(table, row[0], row[1] or '-')) -%}
      {%- endif -%}
    {%- endfor -%}
    {%- if lines -%}
      {%- do log('', info=true) -%}
      {%- do log('%-40s %10s   %s' | format('In Gold now', 'rows', 'newest event'), info=true) -%}
      {%- for line in lines -%}
        {%- do log(line, info=true) -%}
      {%- endfor -%}
    {%- endif -%}
  {%- endif -%}
{% endmacro %}
