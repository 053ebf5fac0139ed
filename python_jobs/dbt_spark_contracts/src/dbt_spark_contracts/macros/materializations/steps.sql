{#-
    The steps that the materializations share. In dbt, a `statement` can run Python only in the body of a
    materialization; `adapter.run_python` can be called from anywhere.

    The steps pass on `at`: the model's `table`, the `existing` table (none if absent), and the `staged`
    view.
-#}

{#- Raises an error if the run should have begun and has not: without a lock and a branch, nothing is written. -#}
{% macro contracts__begin(type='table') %}
  {%- for name, way_out in {
      'sql_header': 'use a pre_hook',
      'clustered_by': 'use `partition_by: ["bucket(8, column)"]`',
      'options': 'use tblproperties',
  }.items() if config.get(name) -%}
    {%- do exceptions.raise_compiler_error(this ~ ': ' ~ name ~ ' has no effect on an Iceberg table: ' ~ way_out ~ '.') -%}
  {%- endfor -%}
  {%- if config.get('grants') %}{% do adapter.require_grants(this) %}{% endif -%}
  {%- do adapter.require_begun(this, contracts__command(), graph) -%}
  {{- return({
      'table': this.incorporate(type=type, is_iceberg=(type == 'table')),
      'existing': load_cached_relation(this),
      'staged': contracts__staged_view(),
  }) -}}
{% endmacro %}

{#
    Returns:
        The relation of the temporary view that this model is staged as.

    All threads share one session, so the schema and the batch of a microbatch model are part of the name.
    The name needs no quotes. It is unique even if case is ignored, as Spark does for view names.
#}
{% macro contracts__staged_view() %}
  {%- set batch = '__' ~ model.batch.id if model.batch else '' -%}
  {%- set name = this.schema ~ '__' ~ this.identifier ~ batch -%}
  {%- set word = modules.re.sub('[^A-Za-z0-9_]', '_', name) -%}
  {%- set same = '' if word == name | lower else '__' ~ local_md5(name) -%}
  {{ return(api.Relation.create(identifier=word ~ same ~ '__dbt_stage')) }}
{% endmacro %}

{#-
    Runs hooks in dbt's order: hooks with `transaction: false` before the others or, in reverse, after them.
    dbt's own run_hooks would send Spark a `commit` for these, but Spark has no transactions.

    Raises:
        An error if a hook has redirected Spark's writes.
-#}
{% macro contracts__run_hooks(hooks, reverse=false) %}
  {%- for hook in hooks | sort(attribute='transaction', reverse=reverse) -%}
    {{ run_hooks([dict(hook, transaction=true)]) }}
    {%- do adapter.require_branch() -%}
  {%- endfor -%}
{% endmacro %}

{#
    1. stage: creates the temporary view `staged` for the rows of the model, SQL or Python. Nothing is
    computed. The code of a Python model creates the view itself.

    Args:
        staged: the view.
        name: the name of dbt's statement.

    Raises:
        Spark's error if the code of a SQL model is not a query.
#}
{% macro contracts__stage(staged, name='main') %}
  {%- if model.language == 'python' -%}
    {%- set code = compiled_code ~ '\n\nstage(model, dbtObj, "' ~ staged ~ '")\n' -%}
    {%- call noop_statement(name, 'OK') -%}{{ code }}{%- endcall -%}
    {%- do adapter.run_python(model, code) -%}
  {%- else -%}
    {%- do adapter.require_query(compiled_code) -%}
    {%- call statement(name) -%}
      {{ compiled_code }}
    {%- endcall -%}
    {%- do adapter.stage_query(staged) -%}
  {%- endif -%}
{% endmacro %}

{#
    2. check: checks the staged rows and the existing table against the model's promise, before anything is
    computed. This costs analysis, and no Spark job.

    Args:
        at: see above.
        internal: for a snapshot, the columns of the view that the table does not have.
        dbts_own: for a snapshot, the columns that dbt adds.

    Returns:
        The `promise`, the `drift` of the table, and the `marks` that a snapshot's columns inherit.
#}
{% macro contracts__check(at, internal=[], dbts_own=[]) %}
  {%- set promise = contracts__promised_columns(at.staged, internal, dbts_own) -%}
  {%- do contracts__check_staged_against_contract(at.staged, promise) -%}
  {%- do adapter.check_marked_columns(at.table, at.staged, model, graph) -%}
  {%- set marks = {} if model.resource_type == 'seed' else contracts__check_column_origins(at.staged, internal) -%}
  {%- do adapter.check_keys(at.staged, model, graph) -%}
  {%- set drift = contracts__table_drift(at.existing, promise) -%}
  {%- do contracts__check_table_against_contract(at.existing, drift) -%}
  {{- return({'promise': promise, 'drift': drift, 'marks': marks}) -}}
{% endmacro %}

{#- Computes the rows of a Python model once, unless its config has `checkpoint: false`. -#}
{% macro contracts__checkpoint(at) %}
  {%- if model.language == 'python' and config.get('checkpoint', true) -%}
    {%- do adapter.checkpoint(at.staged) -%}
  {%- endif -%}
{% endmacro %}

{#
    4. write: replaces all rows of the table by the staged rows, by column name. It does not use `insert
    overwrite`, which replaces only some partitions if the session is configured so.

    Args:
        at: see above.
        names: the names of the table's columns, in its order.
#}
{% macro contracts__overwrite(at, names) %}
  {%- call statement('write') -%}
    insert into {{ at.table }} replace where true
    select {% for name in names %}{{ adapter.quote(name) }}{{ ', ' if not loop.last }}{% endfor %}
    from {{ at.staged }}
  {%- endcall -%}
{% endmacro %}

{#
    After the write: stores the origins of the rows and the model's note in the table. Then grants,
    post-hooks, and a check of the table after them. (5. publish: end_run does it at the end of the run.)

    Args:
        at: see above.
        checked: the result of `contracts__check`.
        full_refresh: whether all rows of the table were replaced.

    Returns:
        The result of the materialization.
#}
{% macro contracts__end(at, checked, full_refresh=true) %}
  {%- do adapter.keep_origins(at.table, at.staged, full_refresh and not model.batch) -%}
  {%- do adapter.keep_note(at.staged) -%}
  {%- do adapter.drop_stage(at.staged) -%}
  {%- do adapter.forget_new_rows(at.table) -%}
  {%- do apply_grants(at.table, config.get('grants'), should_revoke(at.existing, full_refresh)) -%}
  {{ contracts__run_hooks(post_hooks, reverse=true) }}
  {%- do contracts__check_after_hooks(checked.promise) -%}
  {{- return({'relations': [at.table]}) -}}
{% endmacro %}
