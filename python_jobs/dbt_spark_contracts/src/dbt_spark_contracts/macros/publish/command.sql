{#- Returns: a dict of what publish/ needs to know about this dbt command, as in publish/command.py. -#}
{% macro contracts__command() %}
  {{- return({
      'which': flags.WHICH,
      'invocation_id': invocation_id,
      'started_at': run_started_at,
      'operations_schema': contracts__operations_schema(),
      'audits': var('write_audit_publish', true),
      'repeats_tests': var('repeat_data_tests', false),
      'lock_seconds': var('lock_seconds', 90),
      'lock_wait_seconds': var('lock_wait_seconds', 0),
  }) -}}
{% endmacro %}

{#- Returns: the schema of the tables publish_log and build_lease. -#}
{% macro contracts__operations_schema() %}
  {{- return(generate_schema_name('ops', none) | trim) -}}
{% endmacro %}
