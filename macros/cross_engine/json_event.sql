{#-
    From a JSON text to a row of text: what the event holds at each path.

    The steps of stg_car_events, in this order, each a CTE that names its columns as written here: keep_numbers
    (the text), parse_json_events (parsed), first_event (event), inspect_event (its own), event_text (any).
-#}

{#
    A text is what was sent, character for character, and a number that is sent for one is 1.10 or 1E5, which a
    parser would make 1.1 and 100000.0.

    In: SQL of a JSON text; the paths that must hold text. Out: SQL of the same, with its numbers in quotes where
    such a path may hold one, or where one is longer than a parser takes.
-#}
{% macro keep_numbers(json, text_paths) %}
  {{- return(adapter.dispatch('keep_numbers')(json, text_paths)) -}}
{% endmacro %}

{% macro spark__keep_numbers(json, text_paths) %}
  {%- set keys = [] -%}
  {%- for path in text_paths -%}{%- do keys.append(path.split('.')[-1]) -%}{%- endfor -%}
  {#- A key may be spelled by its characters' numbers, too. -#}
  {%- set may_hold_one = "(" ~ json ~ " rlike '\"(?:" ~ keys | unique | join('|') ~ ")\"\\\\s*:\\\\s*[-0-9]' or "
      ~ json ~ " rlike '[-+.0-9eE]{999}' or contains(" ~ json ~ ", '\\\\u00') and "
      ~ json ~ " rlike '\\\\\\\\u00[2-7]')" -%}
  {#- Two characters that are in no JSON stand for what is escaped: then each quote begins or ends a string. -#}
  {%- set plain = "replace(replace(" ~ json ~ ", '\\\\\\\\', '\\u0001'), '\\\\\"', '\\u0002')" -%}
  {%- set is_plain = json ~ " not rlike '[\\u0001\\u0002]'" -%}
  {%- set number = '(?<![-+.0-9eE])-?(?:0|[1-9][0-9]*+)(?:[.][0-9]++)?+(?:[eE][-+]?[0-9]++)?+(?![-+.0-9a-zA-Z]|\\\\s*:)' -%}
  {%- set quoted = "transform(split(" ~ plain ~ ", '\"'), (part, i) -> if(i % 2 = 0, regexp_replace(part, '"
      ~ number ~ "', '\"$0\"'), part))" -%}
  {%- set restored = "replace(replace(array_join(" ~ quoted
      ~ ", '\"'), '\\u0002', '\\\\\"'), '\\u0001', '\\\\\\\\')" -%}
  {{- return("if(" ~ may_hold_one ~ " and " ~ is_plain ~ ", " ~ restored ~ ", " ~ json ~ ")") -}}
{% endmacro %}

{#- Trino's own parser keeps no number as it was sent, and none is mended here: docs/athena.md. -#}
{% macro athena__keep_numbers(json, text_paths) %}
  {{- return(json) -}}
{% endmacro %}

{#
    In: the name of a column of JSON text; a list of dotted paths. Out: SQL of the column `parsed`, the
    values in the text: a text with several has several, so nothing after the first is lost.
#}
{% macro parse_json_events(json, paths) %}
  {{- return(adapter.dispatch('parse_json_events')(json, paths)) -}}
{% endmacro %}

{#
    leaf_type: the type that each path's value is read as (string: a number, object or array is given as its
    JSON text). Out: SQL of a struct: `events`, an array of a struct nested like the paths, one element for
    each JSON value in the text; `is_whole`, null where the text ends early or brackets in it close too
    early; and `_corrupt_record`, not null where the text is no JSON object or an inner object is none.
#}
{% macro spark__parse_json_events(json, paths, leaf_type='string') %}
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
  {{- return("from_json(" ~ text ~ ", '" ~ schema ~ "', map('allowSingleQuotes', 'false', 'allowNonNumericNumbers', 'false'))") -}}
{% endmacro %}

{#
    Out: SQL of an array of JSON: the values and, last, a text that cannot be in `json`, which is so missing
    where the text closes the brackets that it is put into; null where it is no JSON.
#}
{% macro athena__parse_json_events(json, paths) %}
  {#- After blank text, which holds no value, JSON takes no comma. -#}
  {%- set comma = "if(regexp_like(" ~ json ~ ", '[^ \\t\\r\\n]'), ',', '')" -%}
  {%- set text = "concat('[', " ~ json ~ ", " ~ comma ~ ", '\"', " ~ athena_md5(json) ~ ", '\"]')" -%}
  {{- return('try(cast(json_parse(' ~ text ~ ') as array(json)))') -}}
{% endmacro %}

{% macro athena_md5(text) %}
  {{- return('lower(to_hex(md5(to_utf8(' ~ text ~ '))))') -}}
{% endmacro %}

{#- In: the column of JSON text. Out: SQL of the column `event`, the first of the values in `parsed`. -#}
{% macro first_event(json) %}
  {{- return(adapter.dispatch('first_event')(json)) -}}
{% endmacro %}

{% macro spark__first_event(json) %}
  {{- return('parsed.events[0]') -}}
{% endmacro %}

{#- Null where the text is not whole, or one of its values is neither an object nor null. -#}
{% macro athena__first_event(json) %}
  {{- return(
      "case when json_extract_scalar(element_at(parsed, -1), '$') = " ~ athena_md5(json)
      ~ " and none_match(slice(parsed, 1, cardinality(parsed) - 1), value -> "
      ~ athena_json_kind('value') ~ " not in ('{', 'n')) then element_at(parsed, 1) end"
  ) -}}
{% endmacro %}

{#- Out: SQL of the first character of JSON: { of an object, [ of an array, n of null, " of a text. -#}
{% macro athena_json_kind(json) %}
  {{- return('substr(json_format(' ~ json ~ '), 1, 1)') -}}
{% endmacro %}

{#-
    In: the column of JSON text; the paths, those of them that must hold text, and those that must hold numbers.
    Out: SQL of the columns, comma separated, by which event_text, event_value and is_nested know of what is in `event`.
-#}
{% macro inspect_event(json, paths, text_paths, number_paths) %}
  {{- return(adapter.dispatch('inspect_event')(json, paths, text_paths, number_paths)) -}}
{% endmacro %}

{% macro spark__inspect_event(json, paths, text_paths, number_paths) %}
  {#- A text that begins like an object or an array may be one, or a text: only then is it looked at again. -#}
  {%- set looks_nested -%}
    {%- for path in text_paths %}left(event.{{ path }}, 1) in ('{', '['){{ ' or ' if not loop.last }}{% endfor -%}
  {%- endset -%}
  {%- set columns = ['(' ~ looks_nested ~ ') as looks_nested'] -%}
  {%- for name, leaf_type in [('nested_objects', 'map<string,string>'), ('nested_arrays', 'array<string>')] -%}
    {%- do columns.append(
        'case\n            when looks_nested then ' ~ spark__parse_json_events(json, text_paths, leaf_type)
        ~ '.events[0]\n        end as ' ~ name
    ) -%}
  {%- endfor -%}
  {%- do columns.append(spark__repeated_keys(json, paths) ~ ' as repeated_keys') -%}
  {%- do columns.append(spark__parse_json_events(json, number_paths, 'double') ~ '.events[0] as numbers') -%}
  {{- return(columns | join(',\n        ')) -}}
{% endmacro %}

{#
    Out: SQL of an array of the keys that an object has twice, in the event or on a path. The objects are looked at
    only if the text has more keys than were read from it: one that has another name, is null, or comes again.

    Each key has a colon. Without a backslash, the values that were read have as many colons as in the text; so the
    texts have equally many only if each key was read.
#}
{% macro spark__repeated_keys(json, paths) %}
  {%- set read_back = "to_json(event, map('ignoreNullFields', 'true'))" -%}
  {%- set keys_in_text = "regexp_count(" ~ json ~ ", '(?:\"|\\\\\\\\u0022)\\\\s*(?::|\\\\\\\\u003[aA])')" -%}
  {%- set keys_read = "regexp_count(" ~ read_back ~ ", '\":')" -%}
  {%- set colons = [] -%}
  {%- for text in [json, read_back] -%}
    {%- do colons.append("octet_length(" ~ text ~ ") - octet_length(replace(" ~ text ~ ", ':', ''))") -%}
  {%- endfor -%}
  {%- set has_more = "if(contains(" ~ json ~ ", '\\\\'), " ~ keys_in_text ~ " > " ~ keys_read ~ ", "
      ~ colons | join(' > ') ~ ")" -%}
  {%- set objects = [] -%}
  {%- for path in inner_paths(paths) -%}{%- do objects.append('$.' ~ path) -%}{%- endfor -%}
  {%- set keys = "transform(array('$', '" ~ objects | join("', '") ~ "'), path -> json_object_keys(get_json_object(" ~ json ~ ", path)))" -%}
  {%- set repeated = "transform(" ~ keys ~ ", keys -> filter(keys, (key, i) -> array_position(keys, key) <= i))" -%}
  {{- return(
      'case\n            when ' ~ has_more ~ '\n            then flatten(filter('
      ~ repeated ~ ', keys -> keys is not null))\n        end'
  ) -}}
{% endmacro %}

{#- `texts`, a map from each path to its text. -#}
{% macro athena__inspect_event(json, paths, text_paths, number_paths) %}
  {%- set texts = [] -%}
  {%- for path in paths -%}
    {%- set at = "(event, '$." ~ path ~ "')" -%}
    {#- The former has all but objects and arrays. -#}
    {%- do texts.append(
        'coalesce(json_extract_scalar' ~ at ~ ', nullif(json_format(json_extract' ~ at ~ "), 'null'))"
    ) -%}
  {%- endfor -%}
  {{- return(
      "map(\n            array['" ~ paths | join("', '") ~ "'],\n            array[\n                "
      ~ texts | join(',\n                ') ~ '\n            ]\n        ) as texts'
  ) -}}
{% endmacro %}

{#- In: a path. Out: SQL of the text at it; null for null, and where nothing is. -#}
{% macro event_text(path) %}
  {{- return(adapter.dispatch('event_text')(path)) -}}
{% endmacro %}

{% macro spark__event_text(path) %}
  {{- return('event.' ~ path) -}}
{% endmacro %}

{% macro athena__event_text(path) %}
  {{- return("texts['" ~ path ~ "']") -}}
{% endmacro %}

{#
    In: one of event_columns(), no text. Out: SQL of its value; null where there is none, and where the text in the
    column `<name>_text` is none of its type.
#}
{% macro event_value(column) %}
  {{- return(adapter.dispatch('event_value')(column)) -}}
{% endmacro %}

{% macro spark__event_value(column) %}
  {%- set careful = read_text(column.name ~ '_text', column.type) -%}
  {#- What the parser reads as a number is one beyond doubt. What it does not may be one still: '12.5', as a text. -#}
  {%- set number = 'numbers.' ~ column.path -%}
  {%- if column.type == 'double' -%}
    {{- return("case when abs(" ~ number ~ ") < double('Infinity') then " ~ number ~ " + 0D else " ~ careful ~ " end") -}}
  {%- elif column.type == 'int' -%}
    {{- return(
        "case when abs(" ~ number ~ ") <= 2147483647 and " ~ number ~ " = floor(" ~ number ~ ")"
        ~ " then cast(" ~ number ~ " as int) else " ~ careful ~ " end"
    ) -}}
  {%- endif -%}
  {{- return(careful) -}}
{% endmacro %}

{#- Trino's parser keeps each value as JSON: all are read from their texts. -#}
{% macro athena__event_value(column) %}
  {{- return(read_text(column.name ~ '_text', column.type)) -}}
{% endmacro %}

{#- In: a path of inspect_event's text_paths. Out: SQL: is an object or an array there? -#}
{% macro is_nested(path) %}
  {{- return(adapter.dispatch('is_nested')(path)) -}}
{% endmacro %}

{% macro spark__is_nested(path) %}
  {{- return(
      'nested_objects.' ~ path ~ ' is not null or nested_arrays.' ~ path ~ ' is not null'
  ) -}}
{% endmacro %}

{% macro athena__is_nested(path) %}
  {{- return(athena_json_kind("json_extract(event, '$." ~ path ~ "')") ~ " in ('{', '[')") -}}
{% endmacro %}

{#
    In: the column of JSON text. Out: why it is not one event, as a list of pairs, of SQL each: a condition,
    and the words where it is met and none before it is.
#}
{% macro not_one_event(json) %}
  {{- return(adapter.dispatch('not_one_event')(json)) -}}
{% endmacro %}

{% macro spark__not_one_event(json) %}
  {#- Of a character that is written as two numbers, one alone: no text can hold it. -#}
  {%- set first, second = '[\\\\\\\\]u[dD][89abAB][0-9a-fA-F]{2}', '[\\\\\\\\]u[dD][c-fC-F][0-9a-fA-F]{2}' -%}
  {%- set has_half_character = "instr(" ~ json ~ ", '\\\\u') > 0 and replace(" ~ json ~ ", '\\\\\\\\', '') rlike '"
      ~ first ~ "(?!" ~ second ~ ")|(?<!" ~ first ~ ")" ~ second ~ "'" -%}
  {#- What follows a closing bracket goes unseen. -#}
  {%- set is_json = "from_json(concat('[', " ~ json ~ ", ']'), 'array<string>') is not null" -%}
  {#-
      Is the text one value? It may close the brackets that it is put into, and open others: so it is asked
      for what follows it, which it cannot know. Few texts close a bracket at all.
  -#}
  {%- set followed = "concat('[', " ~ json ~ ", ',\"', md5(" ~ json ~ "), '\"]')" -%}
  {%- set is_one_value = "(instr(" ~ json ~ ", ']') = 0 or get_json_object(" ~ followed ~ ", '$[1]') <=> md5(" ~ json ~ "))" -%}
  {{- return([
      ("parsed.events is null and left(trim(" ~ json ~ "), 1) != '{' and " ~ is_json, "'JSON, but not an object'"),
      ("parsed.events is null or parsed.is_whole is null", "'not valid JSON'"),
      ("size(parsed.events) != 1", "concat(size(parsed.events), ' JSON values where one event is expected')"),
      ("event is null", "'JSON, but not an object'"),
      ("not " ~ is_one_value, "'not valid JSON'"),
      ("size(repeated_keys) > 0", "concat('an object has the key ', repeated_keys[0], ' twice')"),
      (has_half_character, "'a text has half a character (one of two \\\\u that go together)'"),
  ]) -}}
{% endmacro %}

{% macro athena__not_one_event(json) %}
  {%- set count = to_text('cardinality(parsed) - 1') -%}
  {{- return([
      ("json_extract_scalar(element_at(parsed, -1), '$') is distinct from " ~ athena_md5(json), "'not valid JSON'"),
      ("event is null and regexp_like(" ~ json ~ ", '^ *[{]')", "'not valid JSON'"),
      ("event is null", "'JSON, but not an object'"),
      ("cardinality(parsed) != 2", "concat(" ~ count ~ ", ' JSON values where one event is expected')"),
      (athena_json_kind('event') ~ " = 'n'", "'JSON, but not an object'"),
  ]) -}}
{% endmacro %}

{#
    In: the column of JSON text, the paths of the objects in an event. Out: what is wrong with them, as a
    list of pairs, of SQL each: a condition and the words for it.
#}
{% macro broken_objects(json, paths) %}
  {{- return(adapter.dispatch('broken_objects')(json, paths)) -}}
{% endmacro %}

{% macro spark__broken_objects(json, paths) %}
  {%- set corrupt = 'parsed._corrupt_record is not null' -%}
  {%- set problems = [(corrupt ~ ' and get_json_object(' ~ json ~ ", '$') is null", "'not valid JSON'")] -%}
  {%- for path in paths -%}
    {%- set is_there = 'get_json_object(' ~ json ~ ", '$." ~ path ~ "') is not null" -%}
    {%- set condition = corrupt ~ ' and event.' ~ path ~ ' is null and ' ~ is_there -%}
    {%- do problems.append((condition, "'" ~ path ~ " is not an object'")) -%}
  {%- endfor -%}
  {{- return(problems) -}}
{% endmacro %}

{% macro athena__broken_objects(json, paths) %}
  {%- set problems = [] -%}
  {%- for path in paths -%}
    {%- set condition = athena_json_kind("json_extract(event, '$." ~ path ~ "')") ~ " not in ('{', 'n')" -%}
    {%- do problems.append((condition, "'" ~ path ~ " is not an object'")) -%}
  {%- endfor -%}
  {{- return(problems) -}}
{% endmacro %}

{#- In: a tree of names (dicts; a leaf is empty), the leaves' type. Out: Spark's struct type of it. -#}
{% macro spark_struct_type(tree, leaf_type) %}
  {%- set fields = [] -%}
  {%- for name, inner in tree.items() -%}
    {%- do fields.append('`' ~ name ~ '`:' ~ (spark_struct_type(inner, leaf_type) if inner else leaf_type)) -%}
  {%- endfor -%}
  {{- return('struct<' ~ fields | join(',') ~ '>') -}}
{% endmacro %}
