{#-
    The quick way through stg_car_events: one typed parse reads most events whole. Where there is any doubt, nothing is
    taken from it, and the event goes the careful way, reason by reason (json_event.sql, read_text.sql). The values are
    the same on both ways: tests/bronze_silver/test_plain_events.py.
-#}

{#
    The events that are read the quick way.

    Args: the name of a relation with raw_record, csv_as_json and read_error; event_columns().
    Returns: SQL of a query of it with one more column, `plain`: the event as a struct, null where in doubt.
#}
{% macro plain_events(records, columns) %}
  {{- return(adapter.dispatch('plain_events')(records, columns)) -}}
{% endmacro %}

{% macro spark__plain_events(records, columns) %}
    {%- set leaf_types = {} -%}
    {%- for column in columns if column.type in ('int', 'double') -%}
        {%- do leaf_types.update({column.path: column.type}) -%}
    {%- endfor -%}
    {%- set paths = columns | map(attribute='path') | unique | list -%}
    select
        *,
        case
            when
                {{ spark__no_doubts(columns) | join('\n                and ') }}
                then quick_event
        end as plain
    from (
        select
            *,
            to_json(quick_event) as read_back
        from (
            select
                *,
                quick.events[0] as quick_event
            from (
                select
                    *,
                    {{ spark__parse_json_events('raw_record', paths, leaf_types=leaf_types) }} as quick
                from {{ records }}
            ) as read
        ) as found
    ) as held_against
{%- endmacro %}

{#- Trino's parser is as good on each event: there is one way. -#}
{% macro athena__plain_events(records, columns) %}
    select
        *,
        cast(null as boolean) as plain
    from {{ records }}
{%- endmacro %}

{#
    Conditions under which the typed parse has read an event as the careful way does. Null counts as a doubt.

    Each key has a colon and each text two quotes. Without a backslash, what was read has as many of both as the record
    only if each key of it was read, once, with a value that is not null, and each text was sent as a text. Nothing can
    follow the event without a `]`.
#}
{% macro spark__no_doubts(columns) %}
  {%- set conditions = [
      'csv_as_json is null and read_error is null',
      "instr(raw_record, '\\\\') = 0 and instr(raw_record, ']') = 0",
      'quick.is_whole and quick._corrupt_record is null and size(quick.events) = 1',
  ] -%}
  {%- for sign in [':', '"'] -%}
    {%- set number = [] -%}
    {%- for text in ['raw_record', 'read_back'] -%}
      {%- do number.append("octet_length(" ~ text ~ ") - octet_length(replace(" ~ text ~ ", '" ~ sign ~ "', ''))") -%}
    {%- endfor -%}
    {%- do conditions.append(number | join(' = ')) -%}
  {%- endfor -%}
  {%- set texts = {} -%}
  {%- for column in columns -%}{%- do texts.update({column.name: 'quick_event.' ~ column.path}) -%}{%- endfor -%}
  {%- for key in ['event_id', 'car_chassis', 'event_timestamp'] -%}
    {%- do conditions.append("trim(" ~ texts[key] ~ ") != ''") -%}
  {%- endfor -%}
  {%- set times = columns | selectattr('type', 'equalto', 'timestamp') | map(attribute='name') | list -%}
  {%- set times_sent = [] -%}
  {%- for name in times -%}{%- do times_sent.append(texts[name]) -%}{%- endfor -%}
  {%- do conditions.append(
      "concat_ws(',', " ~ times_sent | join(', ')
      ~ ") rlike '^((?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?Z(,|$))+$'"
  ) -%}
  {%- for column in columns if column.type in ('date', 'timestamp') -%}
    {%- set text = texts[column.name] -%}
    {%- set value = read_text(text, 'date') if column.type == 'date' else 'cast(' ~ text ~ ' as timestamp)' -%}
    {%- do conditions.append('(' ~ text ~ ' is null) = (' ~ value ~ ' is null)') -%}
  {%- endfor -%}
  {{- return(conditions) -}}
{% endmacro %}

{#
    Args: one of event_columns(); SQL of its value as the careful way reads it.
    Returns: SQL of its value, the quick way or the careful one.
#}
{% macro plain_or(column, careful) %}
  {{- return(adapter.dispatch('plain_or')(column, careful)) -}}
{% endmacro %}

{% macro spark__plain_or(column, careful) %}
  {%- set sent = 'plain.' ~ column.path -%}
  {#- -0.0 is given as 0.0, as text_to_double does. -#}
  {%- set value = sent ~ ' + 0D' if column.type == 'double'
      else 'cast(' ~ sent ~ ' as ' ~ column.type ~ ')' if column.type in ('date', 'timestamp') else sent -%}
  {{- return('coalesce(' ~ value ~ ', ' ~ careful ~ ')') -}}
{% endmacro %}

{% macro athena__plain_or(column, careful) %}
  {{- return(careful) -}}
{% endmacro %}
