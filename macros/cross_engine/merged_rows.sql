{#
    The names of the two rows that a merge compares, for `replaced_if`.

    Returns:
        A dict: `new`, the row of the model, and `held`, the row of the table.
#}
{% macro merged_rows() %}
  {{- return(adapter.dispatch('merged_rows')()) -}}
{% endmacro %}

{% macro spark__merged_rows() %}
  {{- return({'new': 'DBT_INTERNAL_SOURCE', 'held': 'DBT_INTERNAL_DEST'}) -}}
{% endmacro %}

{% macro athena__merged_rows() %}
  {{- return({'new': 'src', 'held': 'target'}) -}}
{% endmacro %}
