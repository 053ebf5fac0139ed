{#
    on-run-start: "{{ begin_run() }}"

    From here on, what this run writes goes to a branch of its own, which its models and tests read.
    Finishes, or takes back, what a run that was killed has left, and says so.

    `dbt retry` goes on with the branch of the run that it retries. Does nothing for commands that write
    no table, and with the var `write_audit_publish: false`. Raises a compiler error, before anything is
    written, if a build of these tables runs already.
#}
{% macro begin_run() %}
  {%- if execute and audits_writes() -%}
    {%- set run = 'dbt_' ~ run_started_at.strftime('%Y%m%dt%H%M%S') ~ '_' ~ invocation_id[:8] -%}
    {%- do take_lock(run) -%}
    {%- set retried = held_back_run(adapter.get_retried_run()) -%}
    {%- if retried -%}
      {%- do check_can_be_published(retried, branch_states(retried)) -%}
    {%- endif -%}
    {%- do refresh_tables(project_tables()) -%}
    {%- do adapter.use_branch(retried or run) -%}
  {%- endif -%}
{% endmacro %}

{#- Is this a command that writes tables, and is what it writes to be audited? -#}
{% macro audits_writes() %}
  {{- return(flags.WHICH in ('build', 'run', 'seed', 'snapshot') and var('write_audit_publish', true)) -}}
{% endmacro %}
