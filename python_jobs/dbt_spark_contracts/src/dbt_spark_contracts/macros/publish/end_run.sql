{#
    on-run-end: "{{ end_run() }}"

    Publishes every table that this run has written, also one written by a hook: all or none, if nothing in
    it failed (a warning is no failure). Else nothing is published, and the last lines say what failed and where to look at it.
    The last line names the tables whose data tests did not all run in this command.

    What was built with --empty or --sample is never published.
#}
{% macro end_run() %}
  {%- if execute and adapter.type() == 'spark' %}{% do adapter.end_run(contracts__command(), results) %}{% endif -%}
{% endmacro %}
