{#- Fails if the newest value of `column_name` is older than `within_days` days, or if there is none. -#}
{% test recent(model, column_name, within_days) %}
select max({{ column_name }}) as newest
from {{ model }}
having coalesce({{ days_between('max(' ~ column_name ~ ')', 'current_timestamp') }} > {{ within_days }}, true)
{% endtest %}
