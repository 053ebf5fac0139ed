{#
    bronze, silver and gold on the target `local`; with the target's own schema as a prefix elsewhere
    (ci_gold), so that two targets never meet.
#}
{% macro generate_schema_name(custom_schema_name, node) %}
  {%- set name = (custom_schema_name or 'default') | trim -%}
  {{- return(name if target.name == 'local' else target.schema ~ '_' ~ name) -}}
{% endmacro %}
