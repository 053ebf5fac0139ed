{#
    dbt run-operation roll_back --args '{to: "2026-01-14 18:00"}'

    Lets readers see what they saw then: main of every table goes back to the snapshot that was published
    last at that time (UTC), all or none. Nothing is deleted: a later roll_back can go forward again. The
    next build goes on from there, and so reads again what landed since.

    Raises a compiler error if a build runs, if `to` is no time, or if a snapshot of then has expired.
#}
{% macro roll_back(to) %}
  {%- do contracts__take_lock('roll_back') -%}
  {%- set states = contracts__states_at(to) -%}
  {%- for state in states -%}
    {%- do contracts__check_snapshot(state.table_name, state.to_snapshot_id) -%}
  {%- endfor -%}
  {%- do contracts__move_main('roll_back', 'rolled back', states) -%}
  {%- do log(states | length ~ ' tables are as they were published on ' ~ to ~ '.', info=true) -%}
{% endmacro %}

{#- In: a time. Out: states, of the tables that are not as they were then, to what they were. -#}
{% macro contracts__states_at(time) %}
  {%- if not contracts__rows_of("select 1 as is_time where try_cast('" ~ time ~ "' as timestamp) is not null") -%}
    {%- do exceptions.raise_compiler_error("to must be a time like 2026-01-14 18:00, and is '" ~ time ~ "'.") -%}
  {%- endif -%}
  {%- set query -%}
    select
      table_name,
      {#- A table that came later is as empty as it was then. #}
      coalesce(
        max_by(to_snapshot_id, logged_at) filter (where logged_at <= timestamp '{{ time }}'),
        min_by(from_snapshot_id, logged_at)
      ) as to_snapshot_id
    from {{ contracts__publish_log() }}
    where status in ('published', 'rolled back')
    group by table_name
  {%- endset -%}
  {%- set then = {} -%}
  {%- for row in contracts__rows_of(query) -%}
    {%- do then.update({row.table_name: row.to_snapshot_id}) -%}
  {%- endfor -%}
  {%- set states = [] -%}
  {%- for ref in contracts__table_refs(contracts__project_tables()) if ref.name == 'main' -%}
    {%- if then.get(ref.table_name, ref.snapshot_id) != ref.snapshot_id -%}
      {%- do states.append({
          'table_name': ref.table_name,
          'from_snapshot_id': ref.snapshot_id,
          'to_snapshot_id': then[ref.table_name],
      }) -%}
    {%- endif -%}
  {%- endfor -%}
  {{- return(states) -}}
{% endmacro %}

{#- Raises a compiler error if the table has no such snapshot (any more). -#}
{% macro contracts__check_snapshot(table, snapshot_id) %}
  {%- if not adapter.has_snapshot(table, snapshot_id) -%}
    {%- do exceptions.raise_compiler_error(
        'The snapshot of ' ~ table ~ ' of that time has expired; nothing was rolled back.'
    ) -%}
  {%- endif -%}
{% endmacro %}
