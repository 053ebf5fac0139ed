{{ config(unique_key='rejected_event_id', **replaced_if()) }}
{#- One row per file and rejected text: the unreadable text, and the reason. The first one stays. -#}

with

arrived as (

    select
        {{ sha256_hex(['source_file', 'raw_record']) }} as rejected_event_id,
        event_id,
        car_chassis,
        rejection_reason,
        raw_record,
        source_file,
        ingested_at
    from {{ rows_of_new_builds(ref('stg_car_events'), 'rejection_reason is not null') }} as staged
    where
        rejection_reason is not null
        and raw_record is not null

),

ranked as (

    select
        *,
        row_number() over (
            partition by rejected_event_id
            order by ingested_at
        ) as time_rank
    from arrived

)

select
    rejected_event_id,
    event_id,
    car_chassis,
    rejection_reason,
    raw_record,
    source_file,
    ingested_at
from ranked
where time_rank = 1
