{#
    The date that a build's answers refer to: the var `as_of_date`, or the run's UTC date if that is
    null.

    Returns:
        Text, YYYY-MM-DD.

    Raises:
        A compiler error if the var is not a valid date. An empty text is an error, too: a scheduler
        passes it if its own date is missing.
#}
{% macro as_of_date() %}
  {%- set given = var('as_of_date', none) -%}
  {%- set day = (run_started_at.date() if given is none else given) | string -%}
  {%- set ok = modules.re.fullmatch('([0-9]{4})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])', day) -%}
  {%- if ok -%}
    {%- set year, month = day[:4] | int, day[5:7] | int -%}
    {%- set is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) -%}
    {%- set february = 29 if is_leap else 28 -%}
    {%- set days = february if month == 2 else 30 if month in (4, 6, 9, 11) else 31 -%}
    {%- set ok = year > 0 and day[8:] | int <= days -%}
  {%- endif -%}
  {%- if not ok -%}
    {%- do exceptions.raise_compiler_error("as_of_date must be a date like 2026-01-15, and is '" ~ given ~ "'.") -%}
  {%- endif -%}
  {{ return(day) }}
{% endmacro %}
