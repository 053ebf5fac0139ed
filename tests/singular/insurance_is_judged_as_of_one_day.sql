-- A row of the result is a car whose insurance ended on another day than its days since then say, by the
-- day that the other cars are judged as of.
with

expired as (

    select
        car_chassis,
        insurance_valid_until,
        insurance_days_expired
    from {{ ref('gold_car_current_state') }}
    where insurance_status = 'EXPIRED'

),

latest as (

    select
        max(insurance_valid_until) as valid_until,
        min(insurance_days_expired) as days_expired
    from expired

)

select
    expired.car_chassis,
    expired.insurance_valid_until,
    expired.insurance_days_expired
from expired
cross join latest
where
    expired.insurance_days_expired
    != latest.days_expired + {{ days_between('expired.insurance_valid_until', 'latest.valid_until') }}
