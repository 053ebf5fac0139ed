-- noqa: disable=LT02
{{ config(unique_key='event_id', **partitioned_by(['months(event_timestamp)'])) }}
{#- One row per event_id: its newest version, in whatever order the versions arrive. -#}

{%- set columns = event_columns() | map(attribute='name') | list
    + ['event_year', 'event_month', 'event_day', 'source_file', 'ingested_at'] -%}
{#- This query finds the newest of the arrived versions. The merge compares it with the one in the table, so that the
    query need not read the table. -#}
{%- set version = version_of_event(columns) -%}
{%- set rows = merged_rows() -%}
{%- set new = version_of_event(columns, rows.new) -%}
{%- set held = version_of_event(columns, rows.held) -%}
{{ config(**replaced_if(is_later(new.last + held.first, held.last + new.first))) }}

{#- The values that each event has: stg_car_events rejects an event without them. -#}
{%- set required = {
    'event_id': "''", 'car_chassis': "''", 'event_primary_timestamp': "''", 'event_timestamp': "timestamp '1970-01-01 00:00:00'"
} -%}
{%- set selected = [] -%}
{%- for column in columns -%}
    {%- do selected.append(never_null(column, required[column]) ~ ' as ' ~ column if column in required else column) -%}
{%- endfor %}

with

arrived as (

    select {{ columns | join(',\n        ') }}
    from {{ rows_of_new_builds(ref('stg_car_events'), 'rejection_reason is null') }} as staged
    where rejection_reason is null

),

ranked as (

    select
        *,
        row_number() over (
            partition by event_id
            order by
                {{ version.last | join(' desc,\n                ') }} desc,
                {{ version.first | join(' asc,\n                ') }} asc
        ) as version_rank
    from arrived

)

select
    {{ selected | join(',\n    ') }}
from ranked
where version_rank = 1
