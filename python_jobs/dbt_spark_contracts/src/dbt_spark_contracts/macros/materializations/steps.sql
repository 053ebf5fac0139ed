{#-
    The steps that materializations share. dbt lets a `statement` run Python in a materialization's own
    body only; `adapter.run_python` may be called from anywhere.

    A step hands on `at`: the model's `table`, the `existing` one (none if absent), and the view that the
    model is `staged` as.
-#}

{#- Raises an error if the run should have begun, and has not: no lock and no branch means no write. -#}
{% macro contracts__begin(type='table') %}
  {%- for name, way_out in {
      'sql_header': 'say it in a pre_hook',
      'clustered_by': 'say `partition_by: ["bucket(8, column)"]`',
      'options': 'say it in tblproperties',
  }.items() if config.get(name) -%}
    {%- do exceptions.raise_compiler_error(this ~ ': ' ~ name ~ ' has no meaning for an Iceberg table here: ' ~ way_out ~ '.') -%}
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
    Out: the relation of the temporary view that this model is staged as. All threads share one
    session, so the schema is part of its name, and so is the batch of a microbatch model. It needs no quotes,
    and differs from others by more than capitals, which Spark does not tell apart in a view's name.
#}
{% macro contracts__staged_view() %}
  {%- set batch = '__' ~ model.batch.id if model.batch else '' -%}
  {%- set name = this.schema ~ '__' ~ this.identifier ~ batch -%}
  {%- set word = modules.re.sub('[^A-Za-z0-9_]', '_', name) -%}
  {%- set same = '' if word == name | lower else '__' ~ local_md5(name) -%}
  {{ return(api.Relation.create(identifier=word ~ same ~ '__dbt_stage')) }}
{% endmacro %}

{#-
    Runs hooks in dbt's order: those of `transaction: false` before the others, or, in reverse, after them.
    Spark has no transactions: dbt's own run_hooks would send it a `commit` for these. Raises an error if one
    has let Spark write elsewhere.
-#}
{% macro contracts__run_hooks(hooks, reverse=false) %}
  {%- for hook in hooks | sort(attribute='transaction', reverse=reverse) -%}
    {{ run_hooks([dict(hook, transaction=true)]) }}
    {%- do adapter.require_branch() -%}
  {%- endfor -%}
{% endmacro %}

{#
    1. stage: lets the temporary view `staged` stand for the rows of the model, SQL or Python. Nothing is
    computed yet. Raises Spark's error if the code of a SQL model is no query.

    In: the view; under which name dbt has the result. A Python model names its rows `staged` itself.
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
    2. check: holds the staged rows and the existing table against what the model promises, before anything
    is computed. Costs analysis only.

    In: of a snapshot, those columns of the view that are none of the table's, and those that dbt adds.
    Out: the `promise`, how the table differs from it (`drift`), the `marks` that a snapshot's columns take over.
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

{#- Computes the rows of a Python model, once, unless its config says `checkpoint: false`. -#}
{% macro contracts__checkpoint(at) %}
  {%- if model.language == 'python' and config.get('checkpoint', true) -%}
    {%- do adapter.checkpoint(at.staged) -%}
  {%- endif -%}
{% endmacro %}

{#
    4. write: replaces every row of the table by the staged ones, by name. Not by `insert overwrite`, which
    replaces some partitions only where the session says so.

    In: the names of the table's columns, in its order.
#}
{% macro contracts__overwrite(at, names) %}
  {%- call statement('write') -%}
    insert into {{ at.table }} replace where true
    select {% for name in names %}{{ adapter.quote(name) }}{{ ', ' if not loop.last }}{% endfor %}
    from {{ at.staged }}
  {%- endcall -%}
{% endmacro %}

{#
    The table is written: it remembers what of, and carries its model's note. Then grants, post-hooks, and the
    check of what these have done to it. (5. publish: at the end of the run, end_run does.)

    In: what `contracts__check` told; whether the table is written anew, for dbt's grants. Out: what dbt
    wants of a materialization.
#}
{% macro contracts__end(at, checked, full_refresh=true) %}
  {%- do adapter.keep_origins(at.table, at.staged, full_refresh and not model.batch) -%}
  {%- do adapter.keep_note(at.staged) -%}
  {%- do adapter.drop_stage(at.staged) -%}
  {%- do apply_grants(at.table, config.get('grants'), should_revoke(at.existing, full_refresh)) -%}
  {{ contracts__run_hooks(post_hooks, reverse=true) }}
  {%- do contracts__check_after_hooks(checked.promise) -%}
  {{- return({'relations': [at.table]}) -}}
{% endmacro %}
