{#- One row per event_id: its newest version. -#}
select * exclude (record_id, rejection_reason, raw_record)
from {{ ref('stg_car_events') }}
where rejection_reason is null
qualify
    row_number() over (
        partition by event_id
        order by event_timestamp desc, processing_timestamp desc nulls last
    ) = 1
