{#
    Builds an Iceberg table from a model, SQL or Python. Each run replaces all rows.

    The table is overwritten, never dropped or replaced, so older snapshots stay readable.

    Config: contract, checkpoint (Python only, default true), on_schema_change, partition_by,
    tblproperties, persist_docs.

    Raises:
        dbt's contract error if the model violates its contract. A compiler error that names the columns
        if the existing table does.
#}
{% materialization table, adapter='spark', supported_languages=['sql', 'python'] %}
  {%- if adapter.is_unguarded(this, model, graph) -%}
    {{ return(contracts__by_dbt_spark('table')) }}
  {%- endif -%}
  {{ return(contracts__make_table()) }}
{% endmaterialization %}
