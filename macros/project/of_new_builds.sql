{#
    On an incremental run, a condition for the rows of builds that this model has no row of; true on others.

    All rows of a build have one `ingested_at`, and are committed together. "Later than what is here" would not do: of
    two builds that overlap, the one that began first may be the one that ends last. A build of which nothing stays
    here is read again, which changes nothing. The times are literals, so that Iceberg skips the files of other builds.

    In: the relation that is read, and a condition for the rows of it that may stay here; both have `ingested_at`.
    Out: SQL.
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
