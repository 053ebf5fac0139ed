{#-
    Turns a JSON text into a row of text: the value at each path of the event.

    These are the steps of stg_car_events, in this order. Each is a CTE with columns of these names:
    parse_plain_event (plain), is_parsed_event (is_parsed), is_plain_event (is_plain), keep_numbers (the
    text), parse_json_events (parsed), first_event (event), inspect_event (its own), event_text (any).

    Nearly all events are plain: they are parsed once, with the types of their values, and the parser
    leaves no doubt about them. The other ones are read as text, value by value. Both ways give the same
    values (tests/bronze_silver/test_quick_ways.py).
-#}

{#
    Args:
        json: SQL of a JSON text.
        columns: event_columns().

    Returns:
        SQL of the column `plain`, the parsed text, with numbers as such. Null for an engine that has only
        the careful way.
-#}
{% macro parse_plain_event(json, columns) %}
  {{- return(adapter.dispatch('parse_plain_event')(json, columns)) -}}
{% endmacro %}

{% macro spark__parse_plain_event(json, columns) %}
  {%- set types = {} -%}
  {%- for column in columns -%}
    {%- do types.update({column.path: column.type if column.type in ('int', 'double') else 'string'}) -%}
  {%- endfor -%}
  {{- return(spark_from_json(json, types)) -}}
{% endmacro %}

{% macro athena__parse_plain_event(json, columns) %}
  {{- return('cast(null as boolean)') -}}
{% endmacro %}

{#
    Returns:
        SQL of the column `is_parsed`: whether `plain` has the numbers of the one event in the text.
-#}
{% macro is_parsed_event() %}
  {{- return(adapter.dispatch('is_parsed_event')()) -}}
{% endmacro %}

{% macro spark__is_parsed_event() %}
  {#-
      A number that is too large for a double becomes infinite. All values are looked at as one, so that no
      column seems to be computed from another one's path in the report of a pull request.
  -#}
  {%- set may_be_infinite = "contains(cast(plain.events[0] as string), 'Infinity')" -%}
  {{- return(
      "coalesce(size(plain.events) = 1 and plain.is_whole and plain._corrupt_record is null"
      ~ " and plain.events[0] is not null and not " ~ may_be_infinite ~ ", false)"
  ) -}}
{% endmacro %}

{% macro athena__is_parsed_event() %}
  {{- return('false') -}}
{% endmacro %}

{#
    Args:
        paths: the paths that must hold no number.

    Returns:
        SQL of the column `is_plain`: whether `plain` has the texts of the event, too.
-#}
{% macro is_plain_event(paths) %}
  {{- return(adapter.dispatch('is_plain_event')(paths)) -}}
{% endmacro %}

{% macro spark__is_plain_event(paths) %}
  {%- set texts = [] -%}
  {%- for path in paths -%}{%- do texts.append('plain.events[0].' ~ path) -%}{%- endfor -%}
  {#- Such a text may have been sent as a number, a boolean, an object or an array. -#}
  {{- return(
      "is_parsed and not concat_ws('\\n', " ~ texts | join(', ')
      ~ ") rlike '(?m)^(?:[\"{\\\\[]|-?(?:[0-9]+(?:[.][0-9]+)?(?:[eE][-+]?[0-9]+)?|Infinity|NaN|true|false)$)'"
  ) -}}
{% endmacro %}

{% macro athena__is_plain_event(paths) %}
  {{- return('false') -}}
{% endmacro %}

{#
    Keeps numbers as they were sent where a text is expected. A parser would turn 1.10 into 1.1, and 1E5
    into 100000.0.

    Args:
        json: SQL of a JSON text.
        paths: the paths that must hold no number.

    Returns:
        SQL of the same text. Its numbers are quoted if such a path may hold one, and if one is too
        long for a parser.
-#}
{% macro keep_numbers(json, paths) %}
  {{- return(adapter.dispatch('keep_numbers')(json, paths)) -}}
{% endmacro %}

{% macro spark__keep_numbers(json, paths) %}
  {%- set keys = [] -%}
  {%- for path in paths -%}{%- do keys.append(path.split('.')[-1]) -%}{%- endfor -%}
  {#- A key may also be spelled with character escapes. -#}
  {%- set may_hold_one = "(" ~ json ~ " rlike '\"(?:" ~ keys | unique | join('|') ~ ")\"\\\\s*:\\\\s*[-0-9]' or "
      ~ json ~ " rlike '[-+.0-9eE]{999}' or contains(" ~ json ~ ", '\\\\u00') and "
      ~ json ~ " rlike '\\\\\\\\u00[2-7]')" -%}
  {#- Two characters that JSON does not allow replace escapes. Then each quote begins or ends a string. -#}
  {%- set plain = "replace(replace(" ~ json ~ ", '\\\\\\\\', '\\u0001'), '\\\\\"', '\\u0002')" -%}
  {%- set is_plain = json ~ " not rlike '[\\u0001\\u0002]'" -%}
  {%- set number = '(?<![-+.0-9eE])-?(?:0|[1-9][0-9]*+)(?:[.][0-9]++)?+(?:[eE][-+]?[0-9]++)?+(?![-+.0-9a-zA-Z]|\\\\s*:)' -%}
  {%- set quoted = "transform(split(" ~ plain ~ ", '\"'), (part, i) -> if(i % 2 = 0, regexp_replace(part, '"
      ~ number ~ "', '\"$0\"'), part))" -%}
  {%- set restored = "replace(replace(array_join(" ~ quoted
      ~ ", '\"'), '\\u0002', '\\\\\"'), '\\u0001', '\\\\\\\\')" -%}
  {{- return("if(" ~ may_hold_one ~ " and " ~ is_plain ~ ", " ~ restored ~ ", " ~ json ~ ")") -}}
{% endmacro %}

{#- Trino's own parser does not keep numbers as sent, so nothing is changed here: docs/athena.md. -#}
{% macro athena__keep_numbers(json, paths) %}
  {{- return(json) -}}
{% endmacro %}

{#
    Args:
        json: the name of a column of JSON text.
        paths: a list of dotted paths.

    Returns:
        SQL of the column `parsed`, the values in the text. A text with several values has several,
        so that nothing after the first is lost. Null for a plain event.
#}
{% macro parse_json_events(json, paths) %}
  {{- return(adapter.dispatch('parse_json_events')(json, paths)) -}}
{% endmacro %}

{% macro spark__parse_json_events(json, paths) %}
  {{- return('case when not is_plain then ' ~ spark_from_json(json, dict.fromkeys(paths, 'string')) ~ ' end') -}}
{% endmacro %}

{#
    Args:
        types: the type to read each path's value as. As a string, a number, object or array becomes its
            JSON text.

    Returns:
        SQL of a struct. `events` is an array with one element per JSON value in the text, a struct
        nested like the paths. `is_whole` is null if the text ends early or its brackets close too
        early. `_corrupt_record` is not null if the text, or an inner object, is not a JSON object, or if
        a value has not its type.
#}
{% macro spark_from_json(json, types) %}
  {%- set tree = {} -%}
  {%- for path, type in types.items() -%}
    {%- set names, place = path.split('.'), namespace(node=tree) -%}
    {%- for name in names[:-1] -%}
      {%- do place.node.update({name: place.node.get(name, {})}) -%}
      {%- set place.node = place.node[name] -%}
    {%- endfor -%}
    {%- do place.node.update({names[-1]: type}) -%}
  {%- endfor -%}
  {%- set schema = 'struct<events:array<' ~ spark_struct_type(tree) ~ '>,is_whole:boolean,_corrupt_record:string>' -%}
  {#- Spark reads one value and silently ignores what follows. So the text is embedded in one value. -#}
  {%- set text = "concat('{\"events\":[', " ~ json ~ ", '],\"is_whole\":true}')" -%}
  {{- return("from_json(" ~ text ~ ", '" ~ schema ~ "', " ~ spark_strict_json() ~ ")") -}}
{% endmacro %}

{#- Returns: the options of from_json for what is JSON only. -#}
{% macro spark_strict_json() %}
  {{- return("map('allowSingleQuotes', 'false', 'allowNonNumericNumbers', 'false')") -}}
{% endmacro %}

{#
    Returns:
        SQL of an array of JSON, or null if the text is not JSON. It has the values, and last a text
        that cannot be in `json`. That text is missing if `json` closes the brackets around it.
#}
{% macro athena__parse_json_events(json, paths) %}
  {#- JSON allows no comma after blank text, which holds no value. -#}
  {%- set comma = "if(regexp_like(" ~ json ~ ", '[^ \\t\\r\\n]'), ',', '')" -%}
  {%- set text = "concat('[', " ~ json ~ ", " ~ comma ~ ", '\"', " ~ athena_md5(json) ~ ", '\"]')" -%}
  {{- return('try(cast(json_parse(' ~ text ~ ') as array(json)))') -}}
{% endmacro %}

{% macro athena_md5(text) %}
  {{- return('lower(to_hex(md5(to_utf8(' ~ text ~ '))))') -}}
{% endmacro %}

{#-
    Args:
        json: the column of JSON text.

    Returns:
        SQL of the column `event`, the first of the values in `parsed`.
-#}
{% macro first_event(json) %}
  {{- return(adapter.dispatch('first_event')(json)) -}}
{% endmacro %}

{% macro spark__first_event(json) %}
  {{- return('parsed.events[0]') -}}
{% endmacro %}

{#- Null if the text is not whole, or if one of its values is neither an object nor null. -#}
{% macro athena__first_event(json) %}
  {{- return(
      "case when json_extract_scalar(element_at(parsed, -1), '$') = " ~ athena_md5(json)
      ~ " and none_match(slice(parsed, 1, cardinality(parsed) - 1), value -> "
      ~ athena_json_kind('value') ~ " not in ('{', 'n')) then element_at(parsed, 1) end"
  ) -}}
{% endmacro %}

{#- Returns: SQL of the first character of JSON: { for an object, [ an array, n null, " a text. -#}
{% macro athena_json_kind(json) %}
  {{- return('substr(json_format(' ~ json ~ '), 1, 1)') -}}
{% endmacro %}

{#-
    Args:
        json: the column of JSON text.
        paths: all paths.
        text_paths: the paths that must hold text.
        no_number_paths: the paths that must hold no number.

    Returns:
        SQL of the columns, separated by commas, from which event_text, event_value and is_nested
        read `event`.
-#}
{% macro inspect_event(json, paths, text_paths, no_number_paths) %}
  {{- return(adapter.dispatch('inspect_event')(json, paths, text_paths, no_number_paths)) -}}
{% endmacro %}

{% macro spark__inspect_event(json, paths, text_paths, no_number_paths) %}
  {#- Only a text that begins like an object or an array needs a second look. -#}
  {%- set looks_nested -%}
    {%- for path in text_paths %}left(event.{{ path }}, 1) in ('{', '['){{ ' or ' if not loop.last }}{% endfor -%}
  {%- endset -%}
  {%- set columns = ['(' ~ looks_nested ~ ') as looks_nested'] -%}
  {%- for name, leaf_type in [('nested_objects', 'map<string,string>'), ('nested_arrays', 'array<string>')] -%}
    {%- do columns.append(
        'case\n            when looks_nested then ' ~ spark_from_json(json, dict.fromkeys(text_paths, leaf_type))
        ~ '.events[0]\n        end as ' ~ name
    ) -%}
  {%- endfor -%}
  {%- do columns.append(spark__repeated_keys(json, paths, no_number_paths) ~ ' as repeated_keys') -%}
  {{- return(columns | join(',\n        ')) -}}
{% endmacro %}

{#
    The objects of a plain event are only checked if the text has more quotes than the keys and texts
    that were read from it. Then there is another key, a null, a repeated key, or an escaped quote.

    Returns:
        SQL of an array of the keys that an object has twice, in the event or on a path.
#}
{% macro spark__repeated_keys(json, paths, no_number_paths) %}
  {%- set objects, read = ["'$'"], [] -%}
  {#- At such a path, a text may hold JSON, which has keys of its own. -#}
  {%- for path in inner_paths(paths) -%}
    {%- do objects.append('if(event.' ~ path ~ ' is not null or plain.events[0].' ~ path ~ " is not null, '$." ~ path ~ "', null)") -%}
  {%- endfor -%}
  {#- Each key has two quotes, and so has each value that is a text. -#}
  {%- for path in paths + inner_paths(paths) -%}
    {%- do read.append(('4' if path in no_number_paths else '2') ~ ' * int(plain.events[0].' ~ path ~ ' is not null)') -%}
  {%- endfor -%}
  {%- set has_more = "not is_plain or size(split(" ~ json ~ ", '\"')) - 1 > " ~ read | join(' + ') -%}
  {%- set keys = "transform(array(" ~ objects | join(', ') ~ "), path -> json_object_keys(get_json_object(" ~ json ~ ", path)))" -%}
  {%- set repeated = "transform(" ~ keys ~ ", keys -> filter(keys, (key, i) -> array_position(keys, key) <= i))" -%}
  {{- return(
      'case\n            when ' ~ has_more ~ '\n            then flatten(filter('
      ~ repeated ~ ', keys -> keys is not null))\n        end'
  ) -}}
{% endmacro %}

{#- `texts` is a map from each path to its text. -#}
{% macro athena__inspect_event(json, paths, text_paths, no_number_paths) %}
  {%- set texts = [] -%}
  {%- for path in paths -%}
    {%- set at = "(event, '$." ~ path ~ "')" -%}
    {#- The former has everything but objects and arrays. -#}
    {%- do texts.append(
        'coalesce(json_extract_scalar' ~ at ~ ', nullif(json_format(json_extract' ~ at ~ "), 'null'))"
    ) -%}
  {%- endfor -%}
  {{- return(
      "map(\n            array['" ~ paths | join("', '") ~ "'],\n            array[\n                "
      ~ texts | join(',\n                ') ~ '\n            ]\n        ) as texts'
  ) -}}
{% endmacro %}

{#-
    Args:
        column: one of event_columns().

    Returns:
        SQL of the text at its path. Null for null, and for nothing, and for a number of a plain event.
-#}
{% macro event_text(column) %}
  {{- return(adapter.dispatch('event_text')(column)) -}}
{% endmacro %}

{% macro spark__event_text(column) %}
  {%- if column.type in ('int', 'double') -%}
    {{- return('event.' ~ column.path) -}}
  {%- endif -%}
  {{- return('if(is_plain, plain.events[0].' ~ column.path ~ ', event.' ~ column.path ~ ')') -}}
{% endmacro %}

{% macro athena__event_text(column) %}
  {{- return("texts['" ~ column.path ~ "']") -}}
{% endmacro %}

{#
    Args:
        column: one of event_columns() that is not text.

    Returns:
        SQL of its value. Null if there is none, or if the text in the column `<name>_text` is not
        of its type.
#}
{% macro event_value(column) %}
  {{- return(adapter.dispatch('event_value')(column)) -}}
{% endmacro %}

{% macro spark__event_value(column) %}
  {%- set careful = read_text(column.name ~ '_text', column.type) -%}
  {%- set number = 'plain.events[0].' ~ column.path -%}
  {%- if column.type == 'double' -%}
    {#- -0.0 becomes 0.0, as in text_to_double. -#}
    {{- return('if(is_parsed, ' ~ number ~ ' + 0D, ' ~ careful ~ ')') -}}
  {%- elif column.type == 'int' -%}
    {{- return('if(is_parsed, ' ~ number ~ ', ' ~ careful ~ ')') -}}
  {%- endif -%}
  {{- return(careful) -}}
{% endmacro %}

{#- Trino's parser keeps each value as JSON, so all are read from their text. -#}
{% macro athena__event_value(column) %}
  {{- return(read_text(column.name ~ '_text', column.type)) -}}
{% endmacro %}

{#-
    Args:
        path: one of inspect_event's text_paths.

    Returns:
        SQL of whether it holds an object or an array.
-#}
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
    Args:
        json: the column of JSON text.

    Returns:
        Why it is not one event, as a list of SQL pairs: a condition, and the reason if it is the
        first that holds.
#}
{% macro not_one_event(json) %}
  {{- return(adapter.dispatch('not_one_event')(json)) -}}
{% endmacro %}

{% macro spark__not_one_event(json) %}
  {#- Half of a character that is escaped as two numbers. No text can contain it. -#}
  {%- set first, second = '[\\\\\\\\]u[dD][89abAB][0-9a-fA-F]{2}', '[\\\\\\\\]u[dD][c-fC-F][0-9a-fA-F]{2}' -%}
  {%- set has_half_character = "contains(" ~ json ~ ", '\\\\u') and replace(" ~ json ~ ", '\\\\\\\\', ' ') rlike '"
      ~ first ~ "(?!" ~ second ~ ")|(?<!" ~ first ~ ")" ~ second ~ "'" -%}
  {#-
      Checks that the text is one value. The text may close the brackets around it and open others. So
      it is followed by a value that it cannot know. Few texts close a bracket at all.
  -#}
  {%- set followed = "concat('[', " ~ json ~ ", ',\"', md5(" ~ json ~ "), '\"]')" -%}
  {%- set values = "from_json(" ~ followed ~ ", 'array<string>', " ~ spark_strict_json() ~ ")" -%}
  {%- set is_json = "try_element_at(" ~ values ~ ", -1) <=> md5(" ~ json ~ ")" -%}
  {%- set too_long = "if(length(" ~ json ~ ") > 20000000, ', or a text in it has over 20 million characters', '')" -%}
  {%- set not_json = "concat('not valid JSON', " ~ too_long ~ ")" -%}
  {%- set is_one_value = "(not contains(" ~ json ~ ", ']') or get_json_object(" ~ followed ~ ", '$[1]') <=> md5(" ~ json ~ "))" -%}
  {{- return([
      ("not is_plain and parsed.events is null and left(trim(" ~ json ~ "), 1) != '{' and " ~ is_json,
       "'JSON, but not an object'"),
      ("not is_plain and (parsed.events is null or parsed.is_whole is null)", not_json),
      ("not is_plain and size(parsed.events) != 1", "concat(size(parsed.events), ' JSON values where one event is expected')"),
      ("not is_plain and event is null", "'JSON, but not an object'"),
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
    Args:
        json: the column of JSON text.
        paths: the paths of the objects in an event.

    Returns:
        Their problems, as a list of SQL pairs: a condition, and the reason.
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

{#-
    Args:
        tree: a tree of names as dicts. A leaf is a type.

    Returns:
        Spark's struct type.
-#}
{% macro spark_struct_type(tree) %}
  {%- set fields = [] -%}
  {%- for name, inner in tree.items() -%}
    {%- do fields.append('`' ~ name ~ '`:' ~ (spark_struct_type(inner) if inner is mapping else inner)) -%}
  {%- endfor -%}
  {{- return('struct<' ~ fields | join(',') ~ '>') -}}
{% endmacro %}
