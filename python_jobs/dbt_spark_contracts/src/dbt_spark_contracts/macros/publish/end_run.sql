{#
    on-run-end: "{{ end_run() }}"

    Publishes every table that this run has written, also one written by a hook: all or none, if nothing in
    it failed (a warning is no failure). Else nothing is published, and the last lines say what failed and where to look at it.

    What was built with --empty is never published.
#}
{% macro end_run() %}
  {%- if execute and contracts__audits_writes() and adapter.get_branch() -%}
    {%- set branch = adapter.get_branch() -%}
    {%- set states = contracts__branch_states(branch, adapter.get_written_tables()) -%}
    {%- set failed = results | rejectattr('status', 'in', ['success', 'pass', 'warn', 'no-op']) | list -%}
    {%- if flags.EMPTY -%}
      {%- do contracts__drop_branches(branch, states) -%}
    {%- elif failed -%}
      {%- do contracts__write_publish_log(branch, 'held back', states) -%}
      {%- do contracts__say_what_is_held_back(branch, states, failed) -%}
    {%- elif states -%}
      {%- do contracts__publish_branch(branch, states) -%}
    {%- endif -%}
    {%- do adapter.end_writes() -%}
  {%- endif -%}
{% endmacro %}

{#- In: the branch, its states, and the failed results. Says all of it at the very end of the run. -#}
{% macro contracts__say_what_is_held_back(branch, states, failed) %}
  {%- do adapter.say_last('') -%}
  {%- for result in failed if result.status != 'skipped' -%}
    {%- set query = result.node.compiled_code if result.node.resource_type == 'test' and result.failures -%}
    {%- do adapter.say_last(
        result.node.name ~ (' failed on ' ~ result.failures ~ ' rows:' if query else ' failed.')
    ) -%}
    {%- for line in contracts__on_branch(query or '', branch, states).strip().splitlines() if line.strip() -%}
      {%- do adapter.say_last('    ' ~ line) -%}
    {%- endfor -%}
  {%- endfor -%}
  {%- do adapter.say_last(
      'Nothing was published: readers see what they saw before. ' ~ states | length
      ~ ' tables are held back on the branch ' ~ branch ~ '.'
  ) -%}
{% endmacro %}

{#- In: SQL. Out: the same, reading each table that was written on its branch. -#}
{% macro contracts__on_branch(sql, branch, states) %}
  {%- set sql = namespace(text=sql) -%}
  {%- for state in states -%}
    {%- set table = '(?<![\\w.`])' ~ modules.re.escape(state.table_name) ~ '(?![\\w.`])' -%}
    {%- set sql.text = modules.re.sub(table, state.table_name ~ '.branch_' ~ branch, sql.text) -%}
  {%- endfor -%}
  {{- return(sql.text) -}}
{% endmacro %}
