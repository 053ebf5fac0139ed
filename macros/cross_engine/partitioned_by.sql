{#
    Partition transforms as a model's config, for `config(**partitioned_by([…]))`.

    Args:
        transforms: a list of Iceberg's transforms in Spark's syntax: a column, years(c), months(c),
            days(c), hours(c), bucket(16, c), truncate(4, c).

    Returns:
        The adapter's config, with the transforms in its engine's syntax.

    Raises:
        A compiler error for any other transform.
#}
{% macro partitioned_by(transforms) %}
  {{- return(adapter.dispatch('partitioned_by')(transforms)) -}}
{% endmacro %}

{% macro spark__partitioned_by(transforms) %}
  {{- return({'partition_by': transforms}) -}}
{% endmacro %}

{% macro athena__partitioned_by(transforms) %}
  {%- set spelled = [] -%}
  {%- for transform in transforms -%}
    {%- set time = modules.re.fullmatch('(year|month|day|hour)s[(](\\w+)[)]', transform) -%}
    {%- set sized = modules.re.fullmatch('(bucket|truncate)[(]([0-9]+), *(\\w+)[)]', transform) -%}
    {%- if time -%}
      {%- do spelled.append(time[1] ~ '(' ~ time[2] ~ ')') -%}
    {%- elif sized -%}
      {%- do spelled.append(sized[1] ~ '(' ~ sized[3] ~ ', ' ~ sized[2] ~ ')') -%}
    {%- elif modules.re.fullmatch('\\w+', transform) -%}
      {%- do spelled.append(transform) -%}
    {%- else -%}
      {%- do exceptions.raise_compiler_error(
          "partitioned_by: '" ~ transform ~ "' is no transform of Iceberg's, as months(column) is."
      ) -%}
    {%- endif -%}
  {%- endfor -%}
  {{- return({'partitioned_by': spelled}) -}}
{% endmacro %}
