{#
    Checks a staged model, SQL or Python, against its contract; costs analysis only, no Spark job.

    In: the staged view, the promised columns. Raises dbt's own contract error, with its table of columns
    and reasons, if a name or type differs, or if a column may be null where the contract says not null.
    Does nothing for a model without an enforced contract.

    The plugin lifts dbt-core's refusal of contracts on Python models for those materializations only
    that call this macro.
#}
{% macro contracts__check_staged_against_contract(staged, columns) %}
  {%- if not config.get('contract').enforced -%}
    {{ return('') }}
  {%- endif -%}
  {#- As dbt compares: names and types, in any order. -#}
  {%- set in_model = adapter.get_schema(staged) -%}
  {%- if contracts__names_and_types(in_model) != contracts__names_and_types(columns) -%}
    {%- do exceptions.raise_contract_error(columns, in_model) -%}
  {%- endif -%}

  {#- Nullability goes along in the type, to be told in the same table. -#}
  {%- set not_null = columns | rejectattr('nullable') | list -%}
  {%- set never_null = adapter.get_never_null(staged, not_null | map(attribute='name') | list) -%}
  {%- set promised = [] -%}
  {%- set found = [] -%}
  {%- for column in not_null -%}
    {%- set promise = {'name': column.name, 'data_type': column.data_type ~ ' not null'} -%}
    {%- do promised.append(promise) -%}
    {%- do found.append(promise if column.name in never_null else column) -%}
  {%- endfor -%}
  {%- if promised != found -%}
    {%- do exceptions.raise_contract_error(promised, found) -%}
  {%- endif -%}
{% endmacro %}

{#- In: columns. Out: the name and type of each, in an order that does not depend on theirs. -#}
{% macro contracts__names_and_types(columns) %}
  {%- set pairs = [] -%}
  {%- for column in columns -%}
    {%- do pairs.append((column.name, column.data_type)) -%}
  {%- endfor -%}
  {{- return(pairs | sort) -}}
{% endmacro %}
