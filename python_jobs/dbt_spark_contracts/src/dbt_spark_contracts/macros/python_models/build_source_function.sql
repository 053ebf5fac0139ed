{#
    dbt's own macro of this name (global project, python_model/python.sql), for Python models, with one
    more: a source with `external: {location: …}` is handed over as its location, for Spark to read the
    files there (`dbt.source` then gives path, modificationTime, length and content of each file).

    Out: Python source of `source(*args, dbt_load_df_function)`.
#}
{% macro build_source_function(model) %}
  {%- set sources = {} -%}
  {%- for source_args in model.sources -%}
    {#- Rendered, as refs are: with --empty a source stands for a sub-select, which is no table. -#}
    {%- set relation = resolve_model_name(source(*source_args).render()) -%}
    {#- (A unit test has no graph: its sources are the given rows.) -#}
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
    sources = {{ sources | tojson }}
    key = '.'.join(args)
    return dbt_load_df_function(sources[key])
{% endmacro %}
