{#- dbt-spark's own materializations, with the checks of a contract that need only SQL. -#}

{% materialization table, adapter='spark', supported_languages=['sql', 'python'] %}
  {{ return(contracts__by_sql('table')) }}
{% endmaterialization %}

{% materialization incremental, adapter='spark', supported_languages=['sql', 'python'] %}
  {{ return(contracts__by_sql('incremental')) }}
{% endmaterialization %}

{% materialization view, adapter='spark' %}
  {{ return(contracts__by_sql('view')) }}
{% endmaterialization %}
