-- Conservation: each Bronze record is a Silver row, a duplicate of one, or rejected.
-- A row of the result is a broken balance.
with

counts as (

    select
        (select count(*) from {{ ref('bronze_car_events') }}) as bronze_records,
        (select count(*) from {{ ref('stg_car_events') }} where rejection_reason is null) as readable_records,
        (select count(*) from {{ ref('stg_car_events') }} where rejection_reason is not null) as unreadable_records,
        (select count(distinct event_id) from {{ ref('stg_car_events') }} where rejection_reason is null) as events,
        (select count(*) from {{ ref('silver_car_telemetry') }}) as silver_rows,
        (
            select count(distinct source_file, raw_record)
            from {{ ref('stg_car_events') }}
            where rejection_reason is not null
        ) as unreadable_texts,
        (select count(*) from {{ ref('silver_rejected_events') }}) as rejected_rows

)

select
    *,
    (readable_records - silver_rows) + (unreadable_records - rejected_rows) as duplicates
from counts
where
    bronze_records != readable_records + unreadable_records
    or silver_rows != events
    or rejected_rows != unreadable_texts
