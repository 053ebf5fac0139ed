{#
    Returns the newest recorded runs with their nodes to `dbt-spark-contracts report`.

    Args:
        limit: the maximum number of runs.
#}
{% macro contracts__recorded_runs(limit=20) %}
  {%- do adapter.recorded_runs(contracts__command(), graph, limit) -%}
{% endmacro %}
