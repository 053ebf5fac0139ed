-- A row of the result is a rule whose metric is no reading of Silver, and so would never raise an alert.
{%- set known = event_columns() | selectattr('type', 'equalto', 'double') | map(attribute='name') | list
    + ['lowest_tire_pressure_psi'] %}
select
    alert_type,
    metric
from {{ ref('alert_rules') }}
where metric not in ('{{ known | join("', '") }}')
