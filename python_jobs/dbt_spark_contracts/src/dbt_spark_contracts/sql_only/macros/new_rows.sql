{#- Only the session of the process asks for snapshots. A model reads all of its parent, and merges it. -#}
{% macro new_rows(relation) %}{{ return(none) }}{% endmacro %}
