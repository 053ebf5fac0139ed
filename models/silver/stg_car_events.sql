-- noqa: disable=LT02
{{ config(incremental_strategy='append', partition_by=['months(ingested_at)']) }}
{#- One row per Bronze record: its values as typed columns or, where one cannot be read, why not. -#}

{%- set columns = event_columns() -%}
{%- set paths = columns | map(attribute='path') | unique | list -%}
{%- set text_paths = columns | selectattr('type', 'equalto', 'string') | map(attribute='path') | list -%}
{%- set key_columns = columns | selectattr('name', 'in', ['event_id', 'car_chassis', 'event_primary_timestamp']) -%}
{#- A text that begins like an object or an array may be one, or a text: only then is it looked at again. -#}
{%- set looks_nested -%}
    {%- for path in text_paths %}left(event.{{ path }}, 1) in ('{', '['){{ ' or ' if not loop.last }}{% endfor -%}
{%- endset -%}

{#- What may be wrong with a JSON object: (the condition, the words), both SQL. -#}
{%- set corrupt = 'parsed._corrupt_record is not null' -%}
{%- set problems = [(corrupt ~ " and get_json_object(event_json, '$') is null", "'not valid JSON'")] -%}
{%- for path in inner_paths(paths) -%}
    {%- set is_there = "get_json_object(event_json, '$." ~ path ~ "') is not null" -%}
    {%- set condition = corrupt ~ ' and event.' ~ path ~ ' is null and ' ~ is_there -%}
    {%- do problems.append((condition, "'" ~ path ~ " is not an object'")) -%}
{%- endfor -%}
{%- for column in key_columns -%}
    {%- do problems.append((is_blank(column.name), "'" ~ column.path ~ " is missing'")) -%}
{%- endfor -%}
{%- for path in text_paths -%}
    {%- set condition = ['nested_objects', 'nested_arrays'] | join('.events[0].' ~ path ~ ' is not null or ') -%}
    {%- do problems.append((condition ~ '.events[0].' ~ path ~ ' is not null', "'" ~ path ~ " is not a text'")) -%}
{%- endfor -%}
{%- set not_a = {
    'int': 'is not a whole number',
    'double': 'is not a number',
    'date': 'is not a date (YYYY-MM-DD)',
    'timestamp': 'is not an ISO 8601 timestamp with a zone',
} -%}
{%- for column in columns if column.type != 'string' -%}
    {%- set text = 'event.' ~ column.path -%}
    {%- set words = "'" ~ column.path ~ ' ' ~ not_a[column.type] ~ ": '" -%}
    {%- do problems.append((
        text ~ ' is not null and ' ~ column.name ~ ' is null', 'concat(' ~ words ~ ', left(' ~ text ~ ', 80))'
    )) -%}
{%- endfor -%}

with

records as (

    select
        record_id,
        source_file,
        ingested_at,
        raw_record,
        read_error,
        coalesce(csv_as_json, raw_record) as event_json
    from {{ ref('bronze_car_events') }}
    where {{ after_last_run('ingested_at') }}

),

parsed as (

    select
        *,
        {{ parse_json_events('event_json', paths) }} as parsed
    from records

),

events as (

    select
        *,
        parsed.events[0] as event
    from parsed

),

inspected as (

    select
        *,
        case
            when {{ looks_nested }} then {{ parse_json_events('event_json', text_paths, 'map<string,string>') }}
        end as nested_objects,
        case
            when {{ looks_nested }} then {{ parse_json_events('event_json', text_paths, 'array<string>') }}
        end as nested_arrays
    from events

),

typed as (

    select
        *,
        {%- for column in columns %}
        {{ read_text('event.' ~ column.path, column.type) }} as {{ column.name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from inspected

),

judged as (

    select
        *,
        case
            when read_error is not null then read_error
            when parsed.events is null and left(trim(event_json), 1) != '{' and {{ is_json('event_json') }}
                then 'JSON, but not an object'
            when parsed.events is null or parsed.is_whole is null then 'not valid JSON'
            when size(parsed.events) != 1 then concat(size(parsed.events), ' JSON values where one event is expected')
            when event is null then 'JSON, but not an object'
            when not {{ is_one_value('event_json') }} then 'not valid JSON'
            else nullif(concat_ws(
                '; ',
                {%- for condition, words in problems %}
                case when {{ condition }} then {{ words }} end{{ ',' if not loop.last }}
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
    year(event_timestamp) as event_year,
    month(event_timestamp) as event_month,
    day(event_timestamp) as event_day,
    source_file,
    ingested_at,
    rejection_reason,
    case when rejection_reason is not null then raw_record end as raw_record
from judged
