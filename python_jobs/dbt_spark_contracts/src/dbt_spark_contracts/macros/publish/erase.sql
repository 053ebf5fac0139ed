{#
    What `dbt-spark-contracts erase` runs. The value is not an argument, because dbt would log it: see
    publish/erase/asked.py.
#}
{% macro contracts__erase() %}{% do adapter.erase(contracts__command(), graph) %}{% endmacro %}
