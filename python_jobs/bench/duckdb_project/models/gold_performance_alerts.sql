{#- The events that break a rule. Of several rules of one type, the gravest. -#}
with

readings as (

    select
        *,
        least(
            tire_pressure_front_left_psi,
            tire_pressure_front_right_psi,
            tire_pressure_rear_left_psi,
            tire_pressure_rear_right_psi
        ) as lowest_tire_pressure_psi
    from {{ ref('silver_car_telemetry') }}

),

measured as (

    select
        readings.*,
        rules.*,
        case rules.metric
            {%- for metric in event_columns() | selectattr('type', 'equalto', 'double') | map(attribute='name') %}
            when '{{ metric }}' then readings.{{ metric }}
            {%- endfor %}
            when 'lowest_tire_pressure_psi' then readings.lowest_tire_pressure_psi
        end as alert_value
    from readings
    cross join {{ ref('alert_rules') }} as rules

),

broken as (

    select *
    from measured
    where
        case comparison when 'above' then alert_value > threshold else alert_value < threshold end
        and (not only_with_fuel_tank or fuel_capacity_liters > 0)
    qualify
        row_number() over (
            partition by event_id, alert_type
            order by alert_severity = 'CRITICAL' desc, threshold desc
        ) = 1

)

select
    sha256(to_json({'event_id': event_id, 'alert_type': alert_type})::varchar) as alert_id,
    car_chassis,
    alert_type,
    alert_severity,
    concat_ws(' ', metric, 'is', alert_value, comparison, threshold) as alert_message,
    alert_value,
    current_mileage_km,
    fuel_available_liters,
    telemetry_timestamp,
    {{ run_started() }} as alert_generated_timestamp,
    cast(event_timestamp as date) as alert_date
from broken
