{#-
    Args:
        paths: dotted paths (a.b.c).

    Returns:
        The paths of the objects on the way (a, a.b), each once, outer ones first.
-#}
{% macro inner_paths(paths) %}
  {%- set inner = [] -%}
  {%- for path in paths -%}
    {%- set names = path.split('.')[:-1] -%}
    {%- for depth in range(names | length) -%}
      {%- set parent = names[: depth + 1] | join('.') -%}
      {%- if parent not in inner -%}{%- do inner.append(parent) -%}{%- endif -%}
    {%- endfor -%}
  {%- endfor -%}
  {{- return(inner) -}}
{% endmacro %}
