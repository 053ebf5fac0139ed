{#
    Overrides dbt's macro (global project, python_model/python.sql) for Python models. A source with
    `external: {location: …}` is passed on as its location, so that `dbt.source` returns path,
    modificationTime, length and content of each file there.

    Returns:
        Python source of `source(*args, dbt_load_df_function)`.
#}
{% macro build_source_function(model) %}
  {%- set sources = {} -%}
  {%- for source_args in model.sources -%}
    {#- Rendered like refs. With --empty, a source would be a sub-select, which is not a table. -#}
    {%- set relation = resolve_model_name(source(*source_args).render()) -%}
    {#- A unit test has no graph. Its sources are the given rows. -#}
    {%- set nodes = graph.get('sources', {}).values()
        | selectattr('source_name', 'equalto', source_args[0])
        | selectattr('name', 'equalto', source_args[1]) | list -%}
    {%- set external = nodes[0].external if nodes else none -%}
    {%- if external and external.location -%}
      {%- set files = {'location': external.location, 'name': nodes[0].unique_id} -%}
    {%- endif -%}
    {%- do sources.update({source_args | join('.'): files or relation}) -%}
  {%- endfor %}
def source(*args, dbt_load_df_function):
    {#- As Python's literal: JSON would write a character beyond U+FFFF as two. #}
    sources = {{ sources }}
    key = '.'.join(args)
    return dbt_load_df_function(sources[key])
{% endmacro %}
