{#- A contract and the table that exists, or will. -#}

{#
    Checks the existing table against what the model promises, before anything is computed or written.

    In: the table's relation (none if absent), its drift. Raises a compiler error that names each column
    that differs and that schema_change_policy lets nobody change, and the way out.
#}
{% macro contracts__check_table_against_contract(existing_relation, drift) %}
  {%- if existing_relation is none -%}
    {{ return('') }}
  {%- elif not existing_relation.is_iceberg -%}
    {%- do exceptions.raise_compiler_error(
        existing_relation ~ ' exists and is not an Iceberg table: move it away, or give the model another alias.'
    ) -%}
  {%- endif -%}
  {%- set policy = contracts__schema_change_policy() -%}
  {%- set breaches = drift.retyped -%}
  {%- if policy == 'fail' -%}
    {%- set breaches = breaches + drift.stray + drift.missing -%}
  {%- elif config.get('contract').enforced -%}
    {%- set breaches = breaches + drift.stray + drift.missing | rejectattr('nullable') | list -%}
  {%- endif -%}
  {%- if breaches -%}
    {%- set lines = [existing_relation ~ ' is not as the model promises it; nothing was written.'] -%}
    {%- for breach in breaches -%}
      {%- do lines.append('  ' ~ breach.name ~ ': ' ~ breach.reason) -%}
    {%- endfor -%}
    {%- do lines.append(contracts__way_out(drift)) -%}
    {%- do exceptions.raise_compiler_error(lines | join('\n')) -%}
  {%- endif -%}
{% endmacro %}

{#
    What may become of a table whose columns are not the model's. Out: one of dbt's on_schema_change.

    A contract is kept (fail), unless it says append_new_columns. Without one, the whole content is the
    model's own for a `table` and with --full-refresh, so the columns are too (sync_all_columns); to an
    incremental model it means what it means to dbt.
#}
{% macro contracts__schema_change_policy() %}
  {%- set asked = config.get('on_schema_change', 'ignore') -%}
  {%- if config.get('contract').enforced -%}
    {{- return('append_new_columns' if asked == 'append_new_columns' else 'fail') -}}
  {%- endif -%}
  {{- return(asked if model.config.materialized == 'incremental' and not should_full_refresh() else 'sync_all_columns') -}}
{% endmacro %}

{#- In: a table_drift. Out: one sentence for each kind of drift in it: what to do about it. -#}
{% macro contracts__way_out(drift) %}
  {%- set ways = [] -%}
  {%- if drift.stray -%}
    {%- do ways.append(
        "Name the column in the contract, or drop it with `dbt run-operation drop_stray_columns "
        ~ "--args '{model: " ~ model.name ~ "}'`, which keeps the table's history."
    ) -%}
  {%- endif -%}
  {%- if drift.missing -%}
    {%- do ways.append('`on_schema_change: append_new_columns` adds what the contract newly names.') -%}
  {%- endif -%}
  {%- if drift.retyped -%}
    {%- do ways.append(
        'A type is changed on purpose by `alter table … alter column … type …` where Iceberg can, and by a '
        ~ 'new version of the model where it cannot.'
    ) -%}
  {%- endif -%}
  {{- return(ways | join(' ')) -}}
{% endmacro %}

{#
    In: the table's relation (none if absent), and the promised columns. Out: a dict of lists of
    {name, reason}: `stray` (the table's only), `missing` (promised only), `retyped` (another type, or
    stricter or looser on nulls); `commented`, the promised columns with another comment; and `in_table`,
    the names that the table has, in its order. All empty without a table.
#}
{% macro contracts__table_drift(existing_relation, promised) %}
  {%- set drift = {'stray': [], 'missing': [], 'retyped': [], 'commented': [], 'in_table': []} -%}
  {%- if existing_relation is none -%}
    {{ return(drift) }}
  {%- endif -%}
  {%- set in_table = {} -%}
  {%- for column in adapter.get_schema(existing_relation) -%}
    {%- do in_table.update({column.name: column}) -%}
    {%- do drift.in_table.append(column.name) -%}
    {%- if column.name not in promised | map(attribute='name') -%}
      {%- do drift.stray.append({'name': column.name, 'reason': 'in the table, not in the contract'}) -%}
    {%- endif -%}
  {%- endfor -%}
  {%- for column in promised -%}
    {%- set existing = in_table.get(column.name) -%}
    {%- if not existing -%}
      {%- do drift.missing.append({
          'name': column.name,
          'nullable': column.nullable,
          'reason': 'in the contract, not in the table'
              ~ ('' if column.nullable else ', whose rows have no value for it, and it is not null'),
      }) -%}
    {%- elif contracts__column_type(existing) != contracts__column_type(column) and (
        existing.data_type != column.data_type or config.get('contract').enforced
    ) -%}
      {%- do drift.retyped.append({
          'name': column.name,
          'reason': contracts__column_type(existing) ~ ' in the table, ' ~ contracts__column_type(column) ~ ' in the contract',
      }) -%}
    {%- elif column.comment and column.comment != existing.comment -%}
      {%- do drift.commented.append(column) -%}
    {%- endif -%}
  {%- endfor -%}
  {{ return(drift) }}
{% endmacro %}

{#- Out: a column's type as DDL has it: `bigint`, `string not null`. -#}
{% macro contracts__column_type(column) %}
  {{- return(column.data_type ~ ('' if column.nullable else ' not null')) -}}
{% endmacro %}

{#
    In: the table's relation and the promised columns. Out: DDL that creates the table from them: names,
    types, not-null, comments, and the partition transform and properties of the model's config.
    Raises a compiler error if the model's file_format is not iceberg.
#}
{% macro contracts__create_table_sql(target_relation, columns) %}
  {%- if config.get('file_format') != 'iceberg' -%}
    {%- do exceptions.raise_compiler_error(
        this ~ ': set `+file_format: iceberg`; its materialization writes no other format.'
    ) -%}
  {%- endif -%}
  create table {{ target_relation }} (
    {%- for column in columns %}
    {{ adapter.quote(column.name) }} {{ contracts__column_type(column) }}{{ contracts__comment_sql(column.comment) }}
    {{- ',' if not loop.last }}
    {%- endfor %}
  )
  {{ file_format_clause() }}
  {{ partition_cols(label='partitioned by') }}
  {{ location_clause() }}
  {{ comment_clause() }}
  {{ tblproperties_clause() }}
{% endmacro %}

{#
    Lets the table follow the promised columns as far as schema_change_policy says: adds new ones, drops
    those that the model no longer has. Corrects comments.

    In: its relation, the promised columns, the drift of one from the other. Out: the names of the
    table's columns now, in its order.
#}
{% macro contracts__evolve_table(target_relation, columns, drift) %}
  {%- set policy = contracts__schema_change_policy() -%}
  {%- set names = drift.in_table | list -%}
  {%- for column in drift.stray if policy == 'sync_all_columns' -%}
    {%- do contracts__drop_column(target_relation, column.name) -%}
    {%- do names.remove(column.name) -%}
  {%- endfor -%}
  {%- set missing = drift.missing | map(attribute='name') | list -%}
  {%- for column in columns if column.name in missing and policy in ('append_new_columns', 'sync_all_columns') -%}
    {#- Older rows have no value for it, so it cannot be not null. -#}
    {%- do run_query(
        'alter table ' ~ target_relation ~ ' add column ' ~ adapter.quote(column.name) ~ ' '
        ~ column.data_type ~ contracts__comment_sql(column.comment)
    ) -%}
    {%- do names.append(column.name) -%}
  {%- endfor -%}
  {%- for column in drift.commented -%}
    {%- do run_query(
        'alter table ' ~ target_relation ~ ' alter column ' ~ adapter.quote(column.name)
        ~ contracts__comment_sql(column.comment)
    ) -%}
  {%- endfor -%}
  {{- return(names) -}}
{% endmacro %}

{#- As a schema evolution: older snapshots keep the column. -#}
{% macro contracts__drop_column(relation, name) %}
  {%- do run_query('alter table ' ~ relation ~ ' drop column ' ~ adapter.quote(name)) -%}
{% endmacro %}

{#- Out: ` comment '…'`, or nothing without one. -#}
{% macro contracts__comment_sql(comment) %}
  {%- if comment -%}
    {{- return(" comment '" ~ comment | trim | replace('\\', '\\\\') | replace("'", "\\'") ~ "'") -}}
  {%- endif -%}
{% endmacro %}
