-- A row of the result is a rule that would never raise an alert, or one under a name that nobody would look for: its
-- metric is no reading of Silver, its threshold no number (NaN), its type blank or with blanks around it.
{%- set known = event_columns() | selectattr('type', 'equalto', 'double') | map(attribute='name') | list
    + ['lowest_tire_pressure_psi'] %}
select
    alert_type,
    metric
from {{ ref('alert_rules') }}
where
    metric not in ('{{ known | join("', '") }}')
    or not (threshold between -1e300 and 1e300)
    or regexp_like(alert_type, '^$|^ | $')
