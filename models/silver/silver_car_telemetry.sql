{{ config(unique_key='event_id', **partitioned_by(['months(event_timestamp)'])) }}
{#- One row per event_id: its newest version, whatever order the versions arrive in. -#}

{%- set columns = event_columns() | map(attribute='name') | list
    + ['event_year', 'event_month', 'event_day', 'source_file', 'ingested_at'] -%}
{#- Two versions may have the same times: then what they hold decides, and never which came first. -#}
{%- set content = content_hash(columns | reject('in', ['source_file', 'ingested_at']) | list) -%}

with

arrived as (

    select
        {{ columns | join(',\n        ') }},
        false as is_held
    from {{ ref('stg_car_events') }}
    where
        rejection_reason is null
        and {{ after_last_run('ingested_at') }}

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
    {{ columns | join(',\n    ') }}
from ranked
where
    version_rank = 1
    and not is_held
    and event_id is not null
    and car_chassis is not null
    and event_primary_timestamp is not null
    and event_timestamp is not null
