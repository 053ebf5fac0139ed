{#- One row per Bronze record: its values as typed columns or, if one cannot be read, the reason. -#}
{%- set columns = event_columns() -%}
with

parsed as (

    select
        *,
        case when json_valid(raw_record) then json_extract_string(
            raw_record,
            [{% for column in columns %}'$.{{ column.path }}'{{ ', ' if not loop.last }}{% endfor %}]
        ) end as texts
    from {{ ref('bronze_car_events') }}

),

typed as (

    select
        *,
        {%- for column in columns %}
        try_cast(texts[{{ loop.index }}] as {{ column.type }}) as {{ column.name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from parsed

),

judged as (

    select
        *,
        case
            when texts is null then 'it is not JSON'
            else nullif(concat_ws(
                '; ',
                {%- for name in ['event_id', 'car_chassis', 'event_primary_timestamp'] %}
                case when {{ name }} is null then '{{ name }} is missing' end,
                {%- endfor %}
                {%- for column in columns if column.type != 'string' %}
                case
                    when texts[{{ columns.index(column) + 1 }}] is not null and {{ column.name }} is null
                        then '{{ column.path }} is not a {{ column.type }}'
                end{{ ',' if not loop.last }}
                {%- endfor %}
            ), '')
        end as rejection_reason
    from typed

)

select
    record_id,
    {%- for column in columns %}
    {{ column.name }},
    {%- endfor %}
    cast(year(event_timestamp) as int) as event_year,
    cast(month(event_timestamp) as int) as event_month,
    cast(day(event_timestamp) as int) as event_day,
    source_file,
    ingested_at,
    rejection_reason,
    case when rejection_reason is not null then raw_record end as raw_record
from judged
