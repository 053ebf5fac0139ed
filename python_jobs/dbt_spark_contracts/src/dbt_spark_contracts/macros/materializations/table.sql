{#
    A model, SQL or Python, becomes an Iceberg table whose whole content is this run's.

    The table is never dropped or replaced: it is overwritten, so that older snapshots stay readable.
    Config: contract, checkpoint (Python only, default true), on_schema_change, partition_by,
    tblproperties, persist_docs. Raises dbt's contract error if the model does not keep its contract,
    and a compiler error, naming the columns, if the existing table does not.
#}
{% materialization table, adapter='spark', supported_languages=['sql', 'python'] %}
  {%- if adapter.is_unguarded(this, model, graph) -%}
    {{ return(contracts__by_dbt_spark('table')) }}
  {%- endif -%}
  {{ return(contracts__make_table()) }}
{% endmaterialization %}
