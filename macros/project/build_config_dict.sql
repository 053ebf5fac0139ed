{#
    Overrides dbt's macro, and adds values of the run for `dbt.config.get` in Python models:
    run_started_at (UTC, ISO 8601) and as_of_date (YYYY-MM-DD). They cannot be in a model's yml, because
    dbt keeps parsed configs between runs.

    Returns:
        Python source of `config_dict` and `meta_dict`.
#}
{% macro build_config_dict(model) %}
{{ dbt.build_config_dict(model) }}
config_dict.update({'run_started_at': '{{ run_started_at.isoformat() }}', 'as_of_date': '{{ as_of_date() }}'})
{% endmacro %}
