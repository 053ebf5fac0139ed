{#
    on-run-start: "{{ begin_run() }}"

    From here on, what this run writes goes to a branch of its own, which its models and tests read.
    Finishes, or takes back, what a run that was killed has left, and says so.

    `dbt retry` goes on with the branch of the run that it retries. Does nothing for commands that write
    no table, with the var `write_audit_publish: false`, and on engines other than Spark. Raises a compiler error, before anything is
    written, if a build of these tables runs already.
#}
{% macro begin_run() %}
  {%- if execute and contracts__audits_writes() -%}
    {%- set run = 'dbt_' ~ run_started_at.strftime('%Y%m%dt%H%M%S') ~ contracts__run_suffix(invocation_id) -%}
    {%- do contracts__take_lock(run) -%}
    {%- do adapter.forget_tables(graph, selected_resources) -%}
    {%- set retried = contracts__retried_states(adapter.get_retried_run()) -%}
    {%- do adapter.begin_writes(retried.branch or run, retried.states | map(attribute='table_name') | list) -%}
  {%- endif -%}
{% endmacro %}

{#
    In: the run that is retried (of dbt_internals.retried_run), or none. Out: a dict of the `branch` that it
    wrote to, and its `states`; neither if it wrote nothing, or with --empty, which leaves no branch. Raises
    a compiler error if that branch cannot be gone on with.
#}
{% macro contracts__retried_states(retried) %}
  {%- if not retried or flags.EMPTY -%}
    {{- return({'branch': none, 'states': []}) -}}
  {%- endif -%}
  {%- set held_back = contracts__held_back_by(retried.invocation_id) -%}
  {%- set tables = held_back | map(attribute='table_name') | list -%}
  {%- set branch = held_back[0].run if held_back else none -%}
  {%- if not branch and retried.has_written -%}
    {#- It was interrupted: nothing was logged, but its name ends so. -#}
    {%- set suffix = contracts__run_suffix(retried.invocation_id) -%}
    {%- set found = [] -%}
    {%- for ref in contracts__table_refs(contracts__project_tables()) if ref.name.endswith(suffix) -%}
      {%- do found.append(ref.name) -%}
      {%- do tables.append(ref.table_name) -%}
    {%- endfor -%}
    {%- set branch = found[0] if found else '…' ~ suffix -%}
  {%- endif -%}
  {%- set states = contracts__branch_states(branch, tables) if branch else [] -%}
  {%- if branch -%}
    {%- do contracts__check_can_be_published(branch, states) -%}
  {%- endif -%}
  {{- return({'branch': branch, 'states': states}) -}}
{% endmacro %}

{#- Out: what the name of a dbt command's run, and so of its branch, ends with. -#}
{% macro contracts__run_suffix(invocation) %}
  {{- return('_' ~ invocation[:8]) -}}
{% endmacro %}

{#- Is this a command that writes tables, and is what it writes to be audited? Only Spark writes to branches. -#}
{% macro contracts__audits_writes() %}
  {{- return(
      adapter.type() == 'spark'
      and flags.WHICH in ('build', 'run', 'seed', 'snapshot')
      and var('write_audit_publish', true)
  ) -}}
{% endmacro %}
