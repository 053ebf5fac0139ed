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
    {%- do own.update({column.name | lower: contracts__marks(column)}) -%}
  {%- endfor -%}
  {%- set allowed = model.config.meta.get('pii_allowed') or {} -%}
  {%- set marked = {} -%}
  {%- for parent in model.depends_on.nodes -%}
    {%- set node = graph.nodes.get(parent) or graph.sources.get(parent) -%}
    {%- for column in node.columns.values() -%}
      {%- set name = column.name | lower -%}
      {%- set marks = contracts__marks(column) -%}
      {%- if marks == ['pii'] and name in allowed -%}
        {%- set marks = [] -%}
      {%- elif node.schema == model.schema -%}
        {#- A copy may stay in the schema if it has the marks, too. -#}
        {%- set marks = marks | reject('in', own.get(name, [])) | list -%}
      {%- endif -%}
      {%- if marks -%}
        {%- set word = 'silver_only' if column.meta.get('silver_only') else 'stays_in' -%}
        {%- set marks = marks | map('replace', 'stays_in', word) | list -%}
        {%- do marked.update({name: node.name ~ '.' ~ column.name ~ ', which is marked ' ~ marks | join(' and ')}) -%}
      {%- endif -%}
    {%- endfor -%}
  {%- endfor -%}
  {{ return(marked) }}
{% endmacro %}

{#- Returns: the marks of a column. `silver_only: true` means `stays_in: schema`. Other places are refused before. -#}
{% macro contracts__marks(column) %}
  {%- set marks = ['pii'] if column.meta.get('pii') else [] -%}
  {%- if column.meta.get('stays_in') or column.meta.get('silver_only') -%}
    {%- set marks = ['stays_in'] + marks -%}
  {%- endif -%}
  {{ return(marks) }}
{% endmacro %}

{#
    Raises:
        A compiler error that names each column of this model's contract with the name of a marked column.
#}
{% macro contracts__check_marked_columns() %}
  {%- set marked = contracts__marked_columns() -%}
  {%- set leaks = [] -%}
  {%- for name in model.columns if name | lower in marked -%}
    {%- do leaks.append(name ~ ' has the name of ' ~ marked[name | lower]) -%}
  {%- endfor -%}
  {%- if leaks -%}
    {%- do exceptions.raise_compiler_error(
        'This model returns columns that must stay where they are.\n\n' ~ leaks | join('\n') ~ '\n\nRemove them.'
    ) -%}
  {%- endif -%}
{% endmacro %}
