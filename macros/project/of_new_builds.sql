{#
    On an incremental run, a condition for rows of builds that this model has no row of. Otherwise true.

    All rows of a build have the same `ingested_at`, and are committed together. "Later than the newest
    here" would not work: of two overlapping builds, the one that began first may end last. A build
    without remaining rows here is read again, which changes nothing. The times are literals, so that
    Iceberg skips the files of other builds.

    Args:
        relation: the relation that is read. It has `ingested_at` and `source_file`.
        kept: a condition for its rows that may stay here.

    Returns:
        SQL.

    Raises:
        A compiler error if this model has rows of a file that the relation no longer has.
#}
{% macro of_new_builds(relation, kept='true') %}
  {%- if not (is_incremental() and execute) -%}
    {{- return('true') -}}
  {%- endif -%}
  {%- set times = [] -%}
  {%- for ingested_at, lost_file in run_query(new_and_lost_builds(relation, kept)).rows -%}
    {%- if lost_file is not none -%}
      {#- A file that is read again has another `ingested_at`: its records would be here twice. -#}
      {%- do exceptions.raise_compiler_error(
          this.render() ~ ' has rows of ' ~ lost_file ~ ', read at ' ~ ingested_at ~ ', and ' ~ relation.render()
          ~ ' has them no more, as after a roll back of it alone: put files that are archived back into landing, '
          ~ 'then run `dbt build --full-refresh` (docs/operations.md: A table that was changed alone).'
      ) -%}
    {%- endif -%}
    {%- do times.append(ingested_at) -%}
  {%- endfor -%}
  {{- return("ingested_at in (timestamp '" ~ times | join("', timestamp '") ~ "')" if times else 'false') -}}
{% endmacro %}

{#
    The builds that differ between a relation and this model. One query for both, because Athena asks on each build.

    Args:
        relation: as above.
        kept: as above.

    Returns:
        SQL of a query. Of a build that is new here, it returns the time and null. Of one with files that only
        this model has, the time and one of these files. They are looked for in all of the relation, also with
        --empty.
#}
{% macro new_and_lost_builds(relation, kept) %}
  select distinct
      {{ to_text('ingested_at') }} as ingested_at,
      {{ to_text('null') }} as lost_file
  from {{ relation }}
  where
      {{ kept }}
      and ingested_at not in (select distinct held.ingested_at from {{ this }} as held)
  union all
  select
      {{ to_text('ingested_at') }} as ingested_at,
      min(source_file) as lost_file
  from (
      select ingested_at, source_file from {{ this }}
      except
      select ingested_at, source_file from {{ relation.render() }} where {{ kept }}
  ) as lost
  group by ingested_at
  order by 1
{% endmacro %}
