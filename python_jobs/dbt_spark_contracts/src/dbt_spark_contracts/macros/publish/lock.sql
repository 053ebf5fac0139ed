{#
    One build at a time on the same tables: the table `build_lock` in the schema `ops`, which is there as
    long as a build runs, and says whose it is. A catalog makes a table of one name only once.
#}
{% macro contracts__lock_table() %}
  {{- return(contracts__operations_schema() ~ '.build_lock') -}}
{% endmacro %}

{#
    Takes the lock, and clears up what a run that was killed has left: a publish that it began, its
    branches and its checkpoints.

    In: a name for this run. The lock is given back when the dbt command ends, however it ends. Raises a
    compiler error if another run has the lock.
#}
{% macro contracts__take_lock(run) %}
  {%- do contracts__create_operations_schema() -%}
  {%- set other = adapter.get_lock_holder(contracts__lock_table()) -%}
  {%- if other -%}
    {%- if adapter.is_running(other) -%}
      {%- do contracts__raise_locked(other) -%}
    {%- endif -%}
    {%- do contracts__clear_up_after(other) -%}
  {%- endif -%}
  {%- set holder = dict(adapter.name_run(run), started_at=run_started_at.isoformat(timespec='seconds')) -%}
  {#- A folder's name may hold a quote, and JSON a backslash. -#}
  {%- set holder_text = dbt.escape_single_quotes(tojson(holder) | replace('\\', '\\\\')) -%}
  {%- call statement('take_lock') -%}
    create table if not exists {{ contracts__lock_table() }} (run string) using iceberg
    tblproperties ('holder' = '{{ holder_text }}')
  {%- endcall -%}
  {%- do contracts__check_lock() -%}
  {%- do adapter.release_at_the_end(contracts__lock_table()) -%}
  {%- do contracts__create_publish_log() -%}
  {%- do contracts__recover_main() -%}
{% endmacro %}

{#- Raises a compiler error if the lock is not this process's. -#}
{% macro contracts__check_lock() %}
  {%- set holder = adapter.get_lock_holder(contracts__lock_table()) -%}
  {%- if not holder or not adapter.is_this_process(holder) -%}
    {%- do contracts__raise_locked(holder) -%}
  {%- endif -%}
{% endmacro %}

{% macro contracts__drop_lock() %}
  {%- do run_query('drop table if exists ' ~ contracts__lock_table() ~ ' purge') -%}
{% endmacro %}

{#- In: the lock's holder, or none. -#}
{% macro contracts__raise_locked(holder) %}
  {%- if not holder -%}
    {%- do exceptions.raise_compiler_error('The lock ' ~ contracts__lock_table() ~ ' was taken away: nothing was published.') -%}
  {%- endif -%}
  {%- do exceptions.raise_compiler_error(
      'Another build of these tables runs: ' ~ holder.run ~ ', since ' ~ holder.started_at ~ ', process '
      ~ holder.dbt[0] ~ ' on ' ~ holder.host ~ '. Wait until it has ended'
      ~ ('.' if adapter.is_on_this_host(holder) else '; if that host is gone: `dbt run-operation unlock`.')
  ) -%}
{% endmacro %}

{#- In: the holder of a lock, whose process runs no more. Removes what it has left but its publish, and the lock. -#}
{% macro contracts__clear_up_after(holder) %}
  {%- do contracts__drop_branches(holder.run, contracts__branch_states(holder.run, contracts__project_tables())) -%}
  {#- A table may have been changed that was not written yet. -#}
  {%- for table in contracts__project_tables() -%}
    {%- do adapter.discard_changes(table | string, holder.run) -%}
  {%- endfor -%}
  {%- do adapter.delete_checkpoints(holder) -%}
  {%- do contracts__drop_lock() -%}
  {%- do log(holder.run ~ ' was killed before it ended; what it left unpublished is removed.', info=true) -%}
{% endmacro %}

{#
    dbt run-operation unlock

    Takes the lock away from a build whose host is gone, as the next build does by itself where it can see
    that the process is. Raises a compiler error if that process runs on this host.
#}
{% macro unlock() %}
  {%- do contracts__create_operations_schema() -%}
  {%- set holder = adapter.get_lock_holder(contracts__lock_table()) -%}
  {%- if not holder -%}
    {%- do log('No build has the lock.', info=true) -%}
  {%- else -%}
    {%- if adapter.is_on_this_host(holder) and adapter.is_running(holder) -%}
      {%- do contracts__raise_locked(holder) -%}
    {%- endif -%}
    {%- do contracts__clear_up_after(holder) -%}
    {%- do contracts__recover_main() -%}
  {%- endif -%}
{% endmacro %}
