{#
    on-run-start: "{{ begin_run() }}"

    Directs the writes of this run to a branch of its own, which its models and tests read. First it
    finishes or takes back what a killed run has left, and reports it.

    `dbt retry` continues the branch of the retried run. The macro does nothing for commands that write
    no table, and on engines other than Spark. With the var `write_audit_publish: false` it only takes
    the lease.

    Raises:
        An error, before anything is written, if a build of these tables already runs.
#}
{% macro begin_run() %}
  {%- if execute and adapter.type() == 'spark' %}{% do adapter.begin_run(contracts__command(), graph, selected_resources) %}{% endif -%}
{% endmacro %}
