{#
    Prints after a build what is in Gold now, as a short table on the terminal, and a note if nothing
    has ever landed.

    Every model of the layer is in it. A model can define its newest event with `meta: {newest_event:
    <SQL expression>}`. If that is a date or a timestamp, its age is shown as well.
#}
{% macro summarize_gold() %}
  {%- if execute and flags.WHICH in ('build', 'run') -%}
    {%- set queries = [] -%}
    {%- for node in graph.nodes.values() | selectattr('resource_type', 'equalto', 'model')
        | selectattr('fqn.1', 'equalto', 'gold') -%}
      {%- set table = adapter.get_relation(node.database, node.schema, node.alias) -%}
      {%- set newest = node.config.meta.newest_event -%}
      {%- if table -%}
        {%- do queries.append(
            "select '" ~ table ~ "' as table_name, count(*) as row_count, "
            ~ to_text('max(' ~ newest ~ ')' if newest else 'null') ~ ' as newest_event from ' ~ table
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
      {%- set line = '%-' ~ (tables | map(attribute='table_name') | map('length') | max) ~ 's %10s   %s' -%}
      {%- do log(line | format('In Gold now', 'rows', 'newest event'), info=true) -%}
      {%- for table in tables -%}
        {%- do log(line | format(table.table_name, table.row_count, with_age(table.newest_event)), info=true) -%}
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


{#
    Args:
        text: a text, or none.

    Returns:
        A date or timestamp in UTC with the days since then: "2026-01-02 10:39:00 (13 days ago)".
        Any other text is returned unchanged, and none as a dash.
#}
{% macro with_age(text) %}
  {%- if not modules.re.match('[0-9]{4}-[0-9]{2}-[0-9]{2}', text or '') -%}
    {{- return(text or '-') -}}
  {%- endif -%}
  {%- set day = modules.datetime.date.fromisoformat(text[:10]) -%}
  {%- set days = (run_started_at.astimezone(modules.pytz.utc).date() - day).days -%}
  {{- return(text ~ (' (today)' if days == 0 else ' (%s day%s ago)' | format(days, '' if days == 1 else 's'))) -}}
{% endmacro %}
