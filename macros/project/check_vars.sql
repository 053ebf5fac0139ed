{#
    on-run-start: "{{ check_vars() }}", before anything is written.

    Raises a compiler error for a var of the command line that nothing reads, which may be one that is mistyped, and
    for a value that none of them has.
#}
{% macro check_vars() %}
  {%- set known = ['as_of_date', 'landing_path', 'lock_seconds', 'lock_wait_seconds', 'overwrite', 'write_audit_publish'] -%}
  {%- for name in invocation_args_dict.get('vars') or {} if name not in known -%}
    {%- do exceptions.raise_compiler_error("There is no var '" ~ name ~ "': use " ~ known | join(', ') ~ '.') -%}
  {%- endfor -%}
  {%- do as_of_date() -%}
  {%- if var('overwrite', none) not in (none, 'bronze_car_events') -%}
    {%- do exceptions.raise_compiler_error("overwrite must be bronze_car_events, and is '" ~ var('overwrite') ~ "'.") -%}
  {%- endif -%}
{% endmacro %}
