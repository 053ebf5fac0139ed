{#- One row per file and rejected text: the unreadable text, and the reason. -#}
select
    sha256(concat_ws('|', source_file, raw_record)) as rejected_event_id,
    event_id,
    car_chassis,
    rejection_reason,
    raw_record,
    source_file,
    ingested_at
from {{ ref('stg_car_events') }}
where rejection_reason is not null
qualify row_number() over (partition by source_file, raw_record order by ingested_at) = 1
