-- A row of the result is a balance that is broken.
with

bronze as (

    select count(*) as records
    from {{ ref('bronze_car_events') }}

),

staged as (

    select
        count(*) as records,
        count_if(rejection_reason is null and event_id is null) as without_id,
        count_if(rejection_reason is not null and raw_record is null) as without_text,
        count(distinct case when rejection_reason is null then event_id end) as events
    from {{ ref('stg_car_events') }}

),

rejected_texts as (

    select distinct
        source_file,
        raw_record
    from {{ ref('stg_car_events') }}
    where
        rejection_reason is not null
        and raw_record is not null

),

texts as (

    select count(*) as rejected
    from rejected_texts

),

silver as (

    select count(*) as events
    from {{ ref('silver_car_telemetry') }}

),

-- By their texts, as above: two of them are alike when a value was erased in one that the other never had.
rejected_rows as (

    select distinct
        source_file,
        raw_record
    from {{ ref('silver_rejected_events') }}

),

rejected as (

    select count(*) as records
    from rejected_rows

)

select
    bronze.records as bronze_records,
    silver.events as silver_rows,
    rejected.records as rejected_rows,
    bronze.records - silver.events - rejected.records as duplicates
from bronze
cross join staged
cross join texts
cross join silver
cross join rejected
where
    bronze.records != staged.records
    or silver.events != staged.events
    or rejected.records != texts.rejected
    or staged.without_id > 0
    or staged.without_text > 0
