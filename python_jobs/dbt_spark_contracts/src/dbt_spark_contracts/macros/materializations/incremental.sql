{#
    A model, SQL or Python, whose rows are merged into, or appended to, its Iceberg table.

    The same steps as `table`; only the write differs, by dbt-spark's incremental_strategy (merge with a
    unique_key, else append; insert_overwrite, microbatch). The first run and --full-refresh overwrite;
    nothing is ever dropped.
#}
{% materialization incremental, adapter='spark', supported_languages=['sql', 'python'] %}
  {%- if adapter.is_unguarded(this, model, graph) -%}
    {{ return(contracts__by_dbt_spark('incremental')) }}
  {%- endif -%}
  {{ return(contracts__make_table(contracts__incremental_strategy())) }}
{% endmaterialization %}
