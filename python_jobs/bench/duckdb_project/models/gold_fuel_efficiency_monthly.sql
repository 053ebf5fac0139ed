{#- Distance and fuel per car and month. -#}
with

months as (

    select
        car_chassis,
        strftime(event_timestamp, '%Y-%m') as year_month,
        arg_max(manufacturer, (event_timestamp, event_id)) as manufacturer,
        arg_max(model, (event_timestamp, event_id)) as model,
        sum(trip_distance_km) as total_km_driven,
        sum(trip_fuel_consumed_liters) as total_fuel_liters,
        count(trip_distance_km) as trip_count
    from {{ ref('silver_car_telemetry') }}
    group by all

)

select
    car_chassis,
    manufacturer,
    model,
    year_month,
    total_km_driven,
    total_fuel_liters,
    case when total_fuel_liters > 0 then total_km_driven / total_fuel_liters end
        as avg_fuel_efficiency_kmpl,
    trip_count,
    {{ run_started() }} as processing_timestamp
from months
