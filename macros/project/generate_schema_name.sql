{#
    bronze, silver and gold on the target `local`. Elsewhere the target's own schema is a prefix
    (ci_gold), so that targets never share tables.
#}
{% macro generate_schema_name(custom_schema_name, node) %}
  {%- set name = (custom_schema_name or 'default') | trim -%}
  {{- return(name if target.name == 'local' else target.schema ~ '_' ~ name) -}}
{% endmacro %}
