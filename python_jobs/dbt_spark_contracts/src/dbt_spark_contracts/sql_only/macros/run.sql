{#- The hooks of a run. Readers see each table as soon as it is written, and a line says so. -#}
{% macro begin_run() %}{% if execute %}{% do adapter.say_what_is_held() %}{% endif %}{% endmacro %}
{% macro end_run() %}{% endmacro %}

{#- The operations on branches of runs raise an error. -#}
{% macro publish(branch='', dry_run=false) %}{% do adapter.require_session('publish') %}{% endmacro %}
{% macro roll_back(to='', dry_run=false) %}{% do adapter.require_session('roll_back') %}{% endmacro %}
{% macro maintain(keep_days=none, tables=[], dry_run=false, budget=none) %}{% do adapter.require_session('maintain') %}{% endmacro %}
{% macro history(limit=20) %}{% do adapter.require_session('history') %}{% endmacro %}
{% macro unlock() %}{% do adapter.require_session('unlock') %}{% endmacro %}
{% macro drop_stray_columns(model, dry_run=false) %}{% do adapter.require_session('drop_stray_columns') %}{% endmacro %}
