{#
    The table `publish_log` in the schema `ops`: one row for each table and each thing that happened to it.

    status: `held back` on a branch; `moving`, main is about to go from one snapshot to another, and a
    later row of the same run says how that ended: `published`, `rolled back` or `taken back`.
#}
{% macro contracts__publish_log() %}
  {{- return(contracts__operations_schema() ~ '.publish_log') -}}
{% endmacro %}

{#- Out: where the log and the lock are. -#}
{% macro contracts__operations_schema() %}
  {{- return(generate_schema_name('ops', none) | trim) -}}
{% endmacro %}

{% macro contracts__create_operations_schema() %}
  {%- if not adapter.check_schema_exists(none, contracts__operations_schema()) -%}
    {%- do run_query('create namespace if not exists ' ~ contracts__operations_schema()) -%}
  {%- endif -%}
{% endmacro %}

{% macro contracts__create_publish_log() %}
  {%- if adapter.has_table(contracts__publish_log()) -%}
    {{ return('') }}
  {%- endif -%}
  {%- call statement('create_publish_log') -%}
    create table if not exists {{ contracts__publish_log() }} (
      logged_at timestamp not null,
      run string not null comment 'the branch, or the name of the operation',
      invocation_id string not null comment 'the dbt command',
      status string not null comment 'held back, moving, published, rolled back or taken back',
      table_name string not null,
      from_snapshot_id bigint not null comment 'main before',
      to_snapshot_id bigint not null comment 'main after, or the branch that is held back'
    )
    using iceberg
    comment 'What was held back, published and rolled back, and when'
  {%- endcall -%}
{% endmacro %}

{#
    In: the branch or operation, a status, and the states that it is about. One commit, whose summary tells
    the status too, so that nobody has to read the log for that.
#}
{% macro contracts__write_publish_log(run, status, states) %}
  {%- if states -%}
    {%- set now = modules.datetime.datetime.now(modules.pytz.utc).strftime('%Y-%m-%d %H:%M:%S.%f') -%}
    {%- set rows -%}
      select * from values
      {%- for state in states %}
        (
          timestamp '{{ now }}', '{{ run }}', '{{ invocation_id }}', '{{ status }}',
          '{{ state.table_name }}', {{ state.from_snapshot_id }}L, {{ state.to_snapshot_id }}L
        ){{ ',' if not loop.last }}
      {%- endfor %}
      as entry (logged_at, run, invocation_id, status, table_name, from_snapshot_id, to_snapshot_id)
    {%- endset -%}
    {%- do adapter.append(contracts__publish_log(), rows, {'publish.status': status}) -%}
  {%- endif -%}
{% endmacro %}

{#
    Out: the states that a command was about to move main between when it was broken off. Only the log's
    last commit can be of one: who has the lock finishes it before anything else.
#}
{% macro contracts__open_moves() %}
  {%- set last = adapter.get_last_commit(contracts__publish_log()) -%}
  {%- if last is none or last.get('publish.status', 'moving') != 'moving' -%}
    {{- return([]) -}}
  {%- endif -%}
  {%- set query -%}
    select run, table_name, from_snapshot_id, to_snapshot_id
    from {{ contracts__publish_log() }} as moving
    where status = 'moving' and not exists (
      select 1 from {{ contracts__publish_log() }} as ended
      where ended.run = moving.run and ended.status in ('published', 'rolled back', 'taken back')
        and ended.logged_at >= moving.logged_at
    )
  {%- endset -%}
  {{- return(contracts__rows_of(query)) -}}
{% endmacro %}

{#
    In: an invocation_id, or none. Out: the branch that it has held back, and which tables: rows of run and
    table_name; none if it has not.
#}
{% macro contracts__held_back_by(invocation) %}
  {%- if not invocation -%}
    {{- return([]) -}}
  {%- endif -%}
  {%- set query -%}
    select run, table_name from {{ contracts__publish_log() }} where status = 'held back' and invocation_id = '{{ invocation }}'
  {%- endset -%}
  {{- return(contracts__rows_of(query)) -}}
{% endmacro %}
