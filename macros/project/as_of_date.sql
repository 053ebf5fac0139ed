{#
    The day that a build's answers are as of: the var `as_of_date`, or the run's UTC date without one.

    Out: text, YYYY-MM-DD. Raises a compiler error if the var is no such date.
#}
{% macro as_of_date() %}
  {%- set given = var('as_of_date', none) or run_started_at.date() | string -%}
  {%- if not modules.re.fullmatch('[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])', given | string) -%}
    {%- do exceptions.raise_compiler_error("as_of_date must be a date like 2026-01-15, and is '" ~ given ~ "'.") -%}
  {%- endif -%}
  {{ return(given | string) }}
{% endmacro %}
