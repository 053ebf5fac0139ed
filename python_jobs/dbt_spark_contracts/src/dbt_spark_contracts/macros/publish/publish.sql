{#
    dbt run-operation publish --args '{branch: dbt_20260102t100000_1a2b3c4d}'

    Publishes by hand what a failed run has held back on its branch: all of its tables or none.

    Raises a compiler error if a build runs, if there is no such branch, or if one of its tables has been
    written since.
#}
{% macro publish(branch) %}
  {%- do contracts__take_lock('publish_' ~ branch) -%}
  {%- do contracts__publish_branch(branch, contracts__branch_states(branch, contracts__project_tables())) -%}
{% endmacro %}

{#
    Fast-forwards main of each table to the branch. What is to happen is written down first, in one
    commit, so that the next run can finish what a kill has left half done.

    In: the branch and its states. Raises a compiler error, and publishes nothing, if that cannot be.
#}
{% macro contracts__publish_branch(branch, states) %}
  {%- do contracts__check_can_be_published(branch, states) -%}
  {%- do adapter.check_before_publish(graph, states | map(attribute='table_name') | list, branch) -%}
  {%- do contracts__check_lock() -%}
  {%- do contracts__move_main(branch, 'published', states, branch) -%}
  {%- do contracts__drop_branches(branch, states) -%}
  {%- do log('Published ' ~ states | length ~ ' tables.', info=true) -%}
{% endmacro %}

{#- Raises a compiler error if one of the branch's tables is not ahead of main, or if it has no table. -#}
{% macro contracts__check_can_be_published(branch, states) %}
  {%- if not states -%}
    {%- do exceptions.raise_compiler_error(
        'No table has the branch ' ~ branch ~ ' (any more): run `dbt build` again.'
    ) -%}
  {%- endif -%}
  {%- for state in states -%}
    {%- if not adapter.is_ahead(state) -%}
      {%- do exceptions.raise_compiler_error(
          state.table_name ~ ' has been written since the branch ' ~ branch ~ ' was begun. Nothing was published: '
          ~ 'run `dbt build` again.'
      ) -%}
    {%- endif -%}
  {%- endfor -%}
{% endmacro %}

{#
    Moves main of several tables, all or none. In: a name for it, the status that it ends with
    (published, rolled back), from where to where: states; the branch to fast-forward to, if it is one.
#}
{% macro contracts__move_main(run, status, states, branch=none) %}
  {%- do contracts__write_publish_log(run, 'moving', states) -%}
  {%- for state in states -%}
    {%- if branch -%}
      {%- do adapter.fast_forward(state.table_name, branch) -%}
      {%- do adapter.apply_changes(state.table_name, branch) -%}
    {%- else -%}
      {%- do adapter.set_main(state.table_name, state.to_snapshot_id) -%}
    {%- endif -%}
  {%- endfor -%}
  {%- do contracts__write_publish_log(run, status, states) -%}
{% endmacro %}

{#
    Finishes a move of main that was broken off or, if a table has been written since by something else,
    takes it back. Says which.
#}
{% macro contracts__recover_main() %}
  {%- set moves = contracts__open_moves() -%}
  {%- if moves -%}
    {%- set run = (moves | first).run -%}
    {%- set main = {} -%}
    {%- for ref in contracts__table_refs(moves | map(attribute='table_name') | list) if ref.name == 'main' -%}
      {%- do main.update({ref.table_name: ref.snapshot_id}) -%}
    {%- endfor -%}
    {%- set foreign = [] -%}
    {%- for move in moves if main[move.table_name] not in (move.from_snapshot_id, move.to_snapshot_id) -%}
      {%- do foreign.append(move.table_name) -%}
    {%- endfor -%}
    {%- for move in moves if move.table_name not in foreign -%}
      {%- do adapter.set_main(move.table_name, move.from_snapshot_id if foreign else move.to_snapshot_id) -%}
      {%- if not foreign -%}
        {%- do adapter.apply_changes(move.table_name, run) -%}
      {%- endif -%}
    {%- endfor -%}
    {%- do contracts__write_publish_log(run, 'taken back' if foreign else 'published', moves) -%}
    {%- do log(
        run ~ ' was broken off while it published ' ~ moves | length ~ ' tables: '
        ~ ('taken back, because of a write by something else to ' ~ foreign | join(', ') if foreign else 'finished') ~ '.',
        info=true
    ) -%}
  {%- endif -%}
{% endmacro %}
