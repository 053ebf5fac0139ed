{#
    on-run-end: "{{ end_run() }}"

    Publishes every table that this run or one of its hooks has written, all or none, if nothing failed.
    (A warning is not a failure.) After a failure nothing is published, and the last lines say what
    failed and where to look. The last line names tables whose data tests did not all run in this
    command.

    A build with --empty or --sample is never published.
#}
{% macro end_run() %}
  {%- if execute and adapter.type() == 'spark' %}{% do adapter.end_run(contracts__command(), results) %}{% endif -%}
{% endmacro %}
