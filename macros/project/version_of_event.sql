{#
    What decides which of two versions of an event is the newer one.

    Args:
        columns: the names of the event's columns.
        row: the name of the row that has them. None: there is only one.

    Returns:
        A dict of lists of SQL. The version whose `last` is later is the newer one. If these are equal, it is the
        one whose `first` is earlier. None of the values is null.
#}
{% macro version_of_event(columns, row=none) %}
  {%- set prefix = row ~ '.' if row else '' -%}
  {%- set named = [] -%}
  {%- for column in columns | reject('in', ['source_file', 'ingested_at']) -%}
    {%- do named.append(prefix ~ column) -%}
  {%- endfor -%}
  {{- return({
      'last': [
          prefix ~ 'event_timestamp',
          "coalesce(" ~ prefix ~ "processing_timestamp, timestamp '0001-01-01 00:00:00')",
          content_hash(named),
      ],
      'first': [prefix ~ 'source_file', prefix ~ 'ingested_at'],
  }) -}}
{% endmacro %}
