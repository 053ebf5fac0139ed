{#
    For SQL models: the rows that came to a parent since this table was last built from it, by Iceberg's
    snapshots. The table remembers, with its rows, up to which snapshot of the parent it was built.

    Use it as `from {{ new_rows(ref('events')) or ref('events') }}`.

    Args:
        relation: the parent, a `ref` or a `source`.

    Returns:
        The name of a view of these rows. None if all of the parent has to be read: on the first run, with
        --full-refresh, with --empty, and if the snapshots do not tell, for example because rows of the
        parent were deleted, or because its earlier snapshot has expired. The latter prints a line.
#}
{% macro new_rows(relation) %}
  {%- if not execute or model.resource_type != 'model' or model.batch -%}
    {{- return(none) -}}
  {%- endif -%}
  {%- set view = contracts__staged_view().identifier ~ '__new_' ~ local_md5(relation | string) -%}
  {{- return(adapter.new_rows(this, relation, view, is_incremental())) -}}
{% endmacro %}
