{#
    Builds an incremental Iceberg table from a model, SQL or Python.

    The steps are the same as in `table`. Only the write differs. It depends on dbt-spark's
    incremental_strategy: merge (the default with a unique_key), append (the default without one),
    insert_overwrite or microbatch. The first run and --full-refresh overwrite the table. The table is
    never dropped.
#}
{% materialization incremental, adapter='spark', supported_languages=['sql', 'python'] %}
  {%- if adapter.is_unguarded(this, model, graph) -%}
    {{ return(contracts__by_dbt_spark('incremental')) }}
  {%- endif -%}
  {{ return(contracts__make_table(contracts__incremental_strategy())) }}
{% endmaterialization %}
