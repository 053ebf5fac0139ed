{#- Athena exposes no plan. So a model is checked against its parents' marks by column names. -#}

{#
    The rules are those of check_column_origins.

    Returns:
        The names that no column of this model may have: a dict of the name, in lower case, and the
        parent's column with its marks.
#}
{% macro contracts__marked_columns() %}
  {%- set own = {} -%}
  {%- for column in model.columns.values() -%}
    {%- do own.update({column.name | lower: column.meta}) -%}
  {%- endfor -%}
  {%- set allowed = model.config.meta.get('pii_allowed') or {} -%}
  {%- set marked = {} -%}
  {%- for parent in model.depends_on.nodes -%}
    {%- set node = graph.nodes.get(parent) or graph.sources.get(parent) -%}
    {%- for column in node.columns.values() -%}
      {%- set name = column.name | lower -%}
      {%- set marks = ['silver_only', 'pii'] | select('in', column.meta) | list -%}
      {%- if not column.meta.get('silver_only') and name in allowed -%}
        {%- set marks = [] -%}
      {%- elif node.schema == model.schema -%}
        {#- A copy may stay in the schema if it has the same marks. -#}
        {%- set marks = marks | reject('in', own.get(name, {})) | list -%}
      {%- endif -%}
      {%- if marks -%}
        {%- do marked.update({name: node.name ~ '.' ~ column.name ~ ', which is marked ' ~ marks | join(' and ')}) -%}
      {%- endif -%}
    {%- endfor -%}
  {%- endfor -%}
  {{ return(marked) }}
{% endmacro %}

{# Raises: a compiler error that names each column of this model's contract with a marked column's name. #}
{% macro contracts__check_marked_columns() %}
  {%- set marked = contracts__marked_columns() -%}
  {%- set leaks = [] -%}
  {%- for name in model.columns if name | lower in marked -%}
    {%- do leaks.append(name ~ ' has the name of ' ~ marked[name | lower]) -%}
  {%- endfor -%}
  {%- if leaks -%}
    {%- do exceptions.raise_compiler_error(
        'This model hands on columns that have to stay where they are.\n\n' ~ leaks | join('\n') ~ '\n\nLeave them out.'
    ) -%}
  {%- endif -%}
{% endmacro %}
