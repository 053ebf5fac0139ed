{#
    After a build: one short table of what is in Gold now, on the terminal, and a word if nothing has
    ever landed.

    A Gold model says in `meta: {newest_event: <SQL expression>}` what its newest event is.
#}
{% macro summarize_gold() %}
  {%- if execute and flags.WHICH in ('build', 'run') -%}
    {%- set lines = [] -%}
    {%- for node in graph.nodes.values() | selectattr('resource_type', 'equalto', 'model')
        | selectattr('config.meta.newest_event', 'defined') | sort(attribute='name') -%}
      {%- set table = adapter.get_relation(node.database, node.schema, node.alias) -%}
      {%- if table -%}
        {%- set query = 'select count(*), ' ~ to_text('max(' ~ node.config.meta.newest_event ~ ')') ~ ' from ' ~ table -%}
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
    {%- for node in graph.nodes.values() | selectattr('name', 'equalto', 'bronze_car_events') if not flags.EMPTY -%}
      {%- set bronze = adapter.get_relation(node.database, node.schema, node.alias) -%}
      {%- if bronze and not run_query('select 1 from ' ~ bronze ~ ' limit 1').rows -%}
        {%- do log("No event was found under landing_path '" ~ var('landing_path') ~ "'.", info=true) -%}
      {%- endif -%}
    {%- endfor -%}
  {%- endif -%}
{% endmacro %}
