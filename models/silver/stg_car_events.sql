-- noqa: disable=LT02
{{ config(incremental_strategy='append', **partitioned_by(['months(ingested_at)'])) }}
{#- One row per Bronze record: its values as typed columns, or why one cannot be read. -#}

{%- set columns = event_columns() -%}
{%- set paths = columns | map(attribute='path') | unique | list -%}
{%- set text_paths = columns | selectattr('type', 'equalto', 'string') | map(attribute='path') | list -%}
{%- set no_number_paths = columns | rejectattr('type', 'in', ['int', 'double']) | map(attribute='path') | list -%}
{%- set typed_columns = columns | rejectattr('type', 'equalto', 'string') | list -%}
{%- set key_columns = columns | selectattr('name', 'in', ['event_id', 'car_chassis', 'event_primary_timestamp']) -%}

{#- The possible problems of an event: (condition, reason), both SQL. -#}
{%- set problems = broken_objects('event_json', inner_paths(paths)) -%}
{%- for column in key_columns -%}
    {%- do problems.append((is_blank(column.name), "'" ~ column.path ~ " is missing'")) -%}
{%- endfor -%}
{%- for path in text_paths -%}
    {%- do problems.append((is_nested(path), "'" ~ path ~ " is not a text'")) -%}
{%- endfor -%}
{%- set not_a = {
    'int': 'is not a whole number',
    'double': 'is not a number',
    'date': 'is not a date (YYYY-MM-DD)',
    'timestamp': 'cannot be read as a timestamp like 2025-11-04T14:30:00Z',
} -%}
{%- for column in typed_columns -%}
    {%- set text = column.name ~ '_text' -%}
    {%- set words = "'" ~ column.path ~ ' ' ~ not_a[column.type] ~ ": '" -%}
    {%- do problems.append((
        text ~ ' is not null and ' ~ column.name ~ ' is null', 'concat(' ~ words ~ ', substr(' ~ text ~ ', 1, 80))'
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
        csv_as_json,
        coalesce(csv_as_json, raw_record) as sent_json
    from {{ rows_of_new_builds(ref('bronze_car_events')) }} as bronze

),

read_at_once as (

    select
        *,
        {{ parse_plain_event('sent_json', columns) }} as plain
    from records

),

checked as (

    select
        *,
        {{ is_parsed_event() }} as is_parsed
    from read_at_once

),

decided as (

    select
        *,
        {{ is_plain_event(no_number_paths) }} as is_plain
    from checked

),

kept as (

    {#- Nothing is changed in a plain event, where no text is a number. #}
    select
        *,
        if(is_plain, sent_json, coalesce(csv_as_json, {{ keep_numbers('raw_record', no_number_paths) }})) as event_json
    from decided

),

parsed as (

    select
        *,
        {{ parse_json_events('event_json', paths) }} as parsed
    from kept

),

events as (

    select
        *,
        {{ first_event('event_json') }} as event
    from parsed

),

inspected as (

    select
        *,
        {{ inspect_event('event_json', paths, text_paths, no_number_paths) }}
    from events

),

texts as (

    {#- The text of a typed value has a name of its own, because it is used twice: to read it and to check it. #}
    select
        *,
        {%- for column in columns %}
        {%- set name = column.name ~ ('_text' if column in typed_columns else '') %}
        {{ event_text(column) }} as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from inspected

),

typed as (

    select
        *,
        {%- for column in typed_columns %}
        {{ event_value(column) }} as {{ column.name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from texts

),

examined as (

    select
        *,
        concat_ws(
            '; ',
            {%- for condition, words in problems %}
            case when {{ condition }} then {{ words }} end{{ ',' if not loop.last }}
            {%- endfor %}
        ) as problems
    from typed

),

judged as (

    select
        *,
        case
            when read_error is not null then read_error
            {%- for condition, words in not_one_event('event_json') %}
            when {{ condition }} then {{ words }}
            {%- endfor %}
            else nullif(problems, '')
        end as rejection_reason
    from examined

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
