-- noqa: disable=LT02
{{ config(unique_key='event_id', **partitioned_by(['months(event_timestamp)'])) }}
{#- One row per event_id: its newest version, in whatever order the versions arrive. -#}

{%- set columns = event_columns() | map(attribute='name') | list
    + ['event_year', 'event_month', 'event_day', 'source_file', 'ingested_at'] -%}
{#- If two versions have the same times, their content decides, and never which one came first. -#}
{%- set content = content_hash(columns | reject('in', ['source_file', 'ingested_at']) | list) -%}
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

    select
        {{ columns | join(',\n        ') }},
        false as is_held
    from {{ rows_of_new_builds(ref('stg_car_events'), 'rejection_reason is null') }} as staged
    where rejection_reason is null

),

versions as (

    select * from arrived
    {%- if is_incremental() %}
    union all
    select
        {{ columns | join(',\n        ') }},
        true as is_held
    from {{ this }}
    where event_id in (select arrived.event_id from arrived)
    {%- endif %}

),

ranked as (

    select
        *,
        row_number() over (
            partition by event_id
            order by
                event_timestamp desc,
                processing_timestamp desc nulls last,
                {{ content }} desc,
                source_file asc,
                ingested_at asc
        ) as version_rank
    from versions

)

select
    {{ selected | join(',\n    ') }}
from ranked
where
    version_rank = 1
    and not is_held
