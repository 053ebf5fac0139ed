{#
    When a merge replaces the row that the table already has for a key, as a model's config, for
    `config(**replaced_if(…))`. Otherwise that row stays.

    Args:
        condition: SQL about the rows that `merged_rows` names. None: it always stays.

    Returns:
        The adapter's config.
#}
{% macro replaced_if(condition=none) %}
  {{- return(adapter.dispatch('replaced_if')(condition)) -}}
{% endmacro %}

{#- Without an update, Spark reads the keys only, and adds files only. -#}
{% macro spark__replaced_if(condition) %}
  {{- return({'matched_condition': condition} if condition else {'skip_matched_step': true}) -}}
{% endmacro %}

{% macro athena__replaced_if(condition) %}
  {{- return({'update_condition': condition or 'false'}) -}}
{% endmacro %}
