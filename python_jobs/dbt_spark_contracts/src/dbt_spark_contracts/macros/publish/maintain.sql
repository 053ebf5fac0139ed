{#
    dbt run-operation maintain --args '{keep_days: 7}'

    What Iceberg's tables need from time to time, by Iceberg's own procedures: branches that failed runs
    have held back go, small files become larger ones, snapshots older than keep_days expire, and with them
    every file that no snapshot knows, of a killed run for instance.

    Raises a compiler error if a build runs.
#}
{% macro maintain(keep_days=7) %}
  {%- do contracts__take_lock('maintain') -%}
  {%- set expiry = (modules.datetime.datetime.now(modules.pytz.utc) - modules.datetime.timedelta(days=keep_days))
      .strftime('%Y-%m-%d %H:%M:%S') -%}
  {%- set tables = contracts__project_tables() + [contracts__publish_log()] -%}
  {%- for ref in contracts__table_refs(tables) if ref.name.startswith('dbt_') -%}
    {%- do run_query('alter table ' ~ ref.table_name ~ ' drop branch ' ~ ref.name) -%}
    {%- do adapter.discard_changes(ref.table_name, ref.name) -%}
  {%- endfor -%}
  {%- for table in tables -%}
    {%- do run_query("call system.rewrite_data_files('" ~ table ~ "')") -%}
    {%- do run_query("call system.expire_snapshots('" ~ table ~ "', timestamp '" ~ expiry ~ "')") -%}
    {%- set orphans = adapter.remove_orphan_files(table) -%}
    {%- do log(
        table ~ ': ' ~ contracts__rows_of('select 1 as one from ' ~ table ~ '.snapshots') | length ~ ' snapshots are kept, '
        ~ orphans ~ ' files that none of them knows were removed.',
        info=true
    ) -%}
  {%- endfor -%}
{% endmacro %}
