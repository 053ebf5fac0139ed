{#
    on-run-start: "{{ begin_run() }}"

    From here on, what this run writes goes to a branch of its own, which its models and tests read.
    Finishes, or takes back, what a run that was killed has left, and says so.

    `dbt retry` goes on with the branch of the run that it retries. Does nothing for commands that write
    no table and on engines other than Spark. With the var `write_audit_publish: false` it only takes the
    lock. Raises an error, before anything is written, if a build of these tables runs already.
#}
{% macro begin_run() %}
  {%- if execute and adapter.type() == 'spark' %}{% do adapter.begin_run(contracts__command(), graph, selected_resources) %}{% endif -%}
{% endmacro %}
