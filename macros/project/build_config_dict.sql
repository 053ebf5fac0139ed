{#
    dbt's own macro of this name, and what a Python model may ask of the run itself with
    `dbt.config.get`: run_started_at (UTC, ISO 8601) and as_of_date (YYYY-MM-DD). Such values cannot
    stand in a model's yml: dbt keeps parsed configs from one run to the next.

    Out: Python source of `config_dict` and `meta_dict`.
#}
{% macro build_config_dict(model) %}
{{ dbt.build_config_dict(model) }}
config_dict.update({'run_started_at': '{{ run_started_at.isoformat() }}', 'as_of_date': '{{ as_of_date() }}'})
{% endmacro %}
