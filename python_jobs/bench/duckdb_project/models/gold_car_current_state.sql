{#- One row per car, from its latest event. -#}
{%- set as_of = "date '" ~ (var('as_of_date') or run_started_at.date()) ~ "'" -%}
with

latest as (

    select
        *,
        date_diff('day', {{ as_of }}, insurance_valid_until) as days_left
    from {{ ref('silver_car_telemetry') }}
    qualify
        row_number() over (
            partition by car_chassis
            order by event_timestamp desc, current_mileage_km desc nulls last, event_id desc
        ) = 1

)

select
    car_chassis,
    manufacturer,
    model,
    year,
    gas_type,
    insurance_provider,
    insurance_valid_until,
    current_mileage_km,
    fuel_available_liters,
    telemetry_timestamp,
    case
        when days_left < 0 then 'EXPIRED'
        when days_left <= 90 then 'EXPIRING_IN_90_DAYS'
        when days_left > 90 then 'ACTIVE'
    end as insurance_status,
    cast(case when days_left < 0 then -days_left end as int) as insurance_days_expired,
    event_timestamp,
    {{ run_started() }} as gold_processing_timestamp
from latest
