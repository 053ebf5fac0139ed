{#
    dbt run-operation drop_stray_columns --args '{model: gold_car_current_state}'

    Drops the columns of a model's table that its contract does not name. It is a schema evolution, so
    older snapshots keep them.

    Args:
        model: the model's name.
        dry_run: whether to only name the columns.

    Raises:
        A compiler error if the model, its contract or its table does not exist.
#}
{% macro drop_stray_columns(model, dry_run=false) %}
  {%- if not dry_run %}{% do adapter.lock_tables(contracts__command(), graph, 'drop_stray_columns') %}{% endif -%}
  {%- set found = graph.nodes.values()
      | selectattr('resource_type', 'equalto', 'model') | selectattr('name', 'equalto', model) | list -%}
  {%- if not found -%}
    {%- do exceptions.raise_compiler_error("There is no model '" ~ model ~ "'.") -%}
  {%- endif -%}
  {%- set node = found | first -%}
  {%- if not node.config.contract.enforced -%}
    {%- do exceptions.raise_compiler_error(model ~ ' has no enforced contract.') -%}
  {%- endif -%}
  {%- set table = adapter.get_relation(node.database, node.schema, node.alias) -%}
  {%- if not table -%}
    {%- do exceptions.raise_compiler_error(model ~ ' has no table in ' ~ node.schema ~ ' yet.') -%}
  {%- endif -%}
  {%- set stray = adapter.drop_stray_columns(node, table, dry_run) -%}
  {%- for column in stray -%}
    {%- do log(table ~ ': ' ~ ('would drop ' if dry_run else 'dropped ') ~ column, info=true) -%}
  {%- endfor -%}
  {%- if not stray -%}
    {%- do log(table ~ ' has no column that its contract does not name.', info=true) -%}
  {%- endif -%}
{% endmacro %}
