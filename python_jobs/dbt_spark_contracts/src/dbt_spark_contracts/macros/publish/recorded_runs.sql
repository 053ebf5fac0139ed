{#
    What `dbt-spark-contracts report` shows: the newest runs on record, with their nodes.

    Args:
        limit: how many runs at most.
#}
{% macro contracts__recorded_runs(limit=20) %}
  {%- do adapter.recorded_runs(contracts__command(), graph, limit) -%}
{% endmacro %}
