{#
    On an incremental run, a condition for rows of builds that this model has no row of. Otherwise true.

    All rows of a build have the same `ingested_at`, and are committed together. "Later than the newest
    here" would not work: of two overlapping builds, the one that began first may end last. A build
    without remaining rows here is read again, which changes nothing. The times are literals, so that
    Iceberg skips the files of other builds.

    Args:
        relation: the relation that is read. It has `ingested_at`.
        kept: a condition for its rows that may stay here.

    Returns:
        SQL.
#}
{% macro of_new_builds(relation, kept='true') %}
  {%- if is_incremental() and execute -%}
    {%- set query -%}
      select distinct {{ to_text('ingested_at') }} as ingested_at
      from {{ relation }}
      where
          {{ kept }}
          and ingested_at not in (select distinct held.ingested_at from {{ this }} as held)
      order by 1
    {%- endset -%}
    {%- set times = run_query(query).rows | map('first') | list -%}
    {{- return("ingested_at in (timestamp '" ~ times | join("', timestamp '") ~ "')" if times else 'false') -}}
  {%- endif -%}
  {{- return('true') -}}
{% endmacro %}
