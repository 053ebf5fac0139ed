{#- From a JSON text to a row of text: what the event holds at each path. -#}

{#
    In: the name of a column of JSON text; a list of dotted paths; the type that each path's value is
    read as (default string: a number, object or array is given as its JSON text).

    Out: SQL of a struct: `events`, an array of a struct nested like the paths, one element for each JSON
    value in the text; `is_whole`, null where the text ends early or brackets in it close too early; and
    `_corrupt_record`, not null where the text is no JSON object or an inner object is none. A text with
    several values has several elements, so nothing after the first is lost.
#}
{% macro parse_json_events(json, paths, leaf_type='string') %}
  {{- return(adapter.dispatch('parse_json_events')(json, paths, leaf_type)) -}}
{% endmacro %}

{% macro spark__parse_json_events(json, paths, leaf_type) %}
  {%- set tree = {} -%}
  {%- for path in paths -%}
    {%- set place = namespace(node=tree) -%}
    {%- for name in path.split('.') -%}
      {%- do place.node.update({name: place.node.get(name, {})}) -%}
      {%- set place.node = place.node[name] -%}
    {%- endfor -%}
  {%- endfor -%}
  {%- set schema = 'struct<events:array<' ~ spark_struct_type(tree, leaf_type) ~ '>,is_whole:boolean,_corrupt_record:string>' -%}
  {#- Spark reads one value and is silent about what follows it: so the text stands in the middle of one. -#}
  {%- set text = "concat('{\"events\":[', " ~ json ~ ", '],\"is_whole\":true}')" -%}
  {{- return("from_json(" ~ text ~ ", '" ~ schema ~ "', map('allowSingleQuotes', 'false'))") -}}
{% endmacro %}

{#- In: SQL of text. Out: SQL: is it JSON, of whatever kind? What follows a closing bracket goes unseen. -#}
{% macro is_json(text) %}
  {{- return(adapter.dispatch('is_json')(text)) -}}
{% endmacro %}

{% macro spark__is_json(text) %}
  {{- return("from_json(concat('[', " ~ text ~ ", ']'), 'array<string>') is not null") -}}
{% endmacro %}

{#-
    In: SQL of text that begins with a JSON value. Out: SQL: is that value all of it? Text may close the
    brackets that it is put into, and open others: so it is asked for what follows it, which it cannot know.
-#}
{% macro is_one_value(text) %}
  {{- return(adapter.dispatch('is_one_value')(text)) -}}
{% endmacro %}

{% macro spark__is_one_value(text) %}
  {%- set followed = "concat('[', " ~ text ~ ", ',\"', md5(" ~ text ~ "), '\"]')" -%}
  {#- Few texts close a bracket at all. -#}
  {{- return("(instr(" ~ text ~ ", ']') = 0 or get_json_object(" ~ followed ~ ", '$[1]') <=> md5(" ~ text ~ "))") -}}
{% endmacro %}

{#- In: a tree of names (dicts; a leaf is empty), the leaves' type. Out: Spark's struct type of it. -#}
{% macro spark_struct_type(tree, leaf_type) %}
  {%- set fields = [] -%}
  {%- for name, inner in tree.items() -%}
    {%- do fields.append('`' ~ name ~ '`:' ~ (spark_struct_type(inner, leaf_type) if inner else leaf_type)) -%}
  {%- endfor -%}
  {{- return('struct<' ~ fields | join(',') ~ '>') -}}
{% endmacro %}
