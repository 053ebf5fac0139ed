{#
    on-run-start: "{{ check_vars() }}", before anything is written.

    The guard itself checks that lock_seconds and lock_wait_seconds are numbers.

    Raises:
        A compiler error for a var on the command line that nothing reads, which may be mistyped,
        and for an invalid value.
#}
{% macro check_vars() %}
  {%- set known = [
      'as_of_date', 'contracts_required_in', 'landing_path', 'lock_seconds', 'lock_wait_seconds',
      'newest_event_within_days', 'overwrite', 'repeat_data_tests', 'write_audit_publish',
  ] -%}
  {%- for name in invocation_args_dict.get('vars') or {} if name not in known -%}
    {%- do exceptions.raise_compiler_error("There is no var '" ~ name ~ "': use " ~ known | join(', ') ~ '.') -%}
  {%- endfor -%}
  {%- do as_of_date() -%}
  {%- set wrong = [] -%}
  {%- set landing = var('landing_path') -%}
  {%- if landing is not string or landing != landing | trim or not landing -%}
    {%- do wrong.append(['landing_path', "a folder or an object store's URL"]) -%}
  {%- endif -%}
  {%- if var('overwrite', none) not in (none, 'bronze_car_events') -%}
    {%- do wrong.append(['overwrite', 'bronze_car_events']) -%}
  {%- endif -%}
  {%- set days = var('newest_event_within_days', none) -%}
  {%- if days is not none and (days is boolean or days is not integer or days < 0) -%}
    {%- do wrong.append(['newest_event_within_days', 'a number of days, or null']) -%}
  {%- endif -%}
  {%- for name in ('write_audit_publish', 'repeat_data_tests') if var(name, true) is not boolean -%}
    {%- do wrong.append([name, 'true or false']) -%}
  {%- endfor -%}
  {%- set layers = var('contracts_required_in', []) -%}
  {%- if layers is string or layers is mapping or layers is not iterable -%}
    {%- do wrong.append(['contracts_required_in', 'a list of schemas, like [gold]']) -%}
  {%- endif -%}
  {%- for name, meant in wrong -%}
    {%- do exceptions.raise_compiler_error(name ~ ' must be ' ~ meant ~ ", and is '" ~ var(name) ~ "'.") -%}
  {%- endfor -%}
{% endmacro %}
