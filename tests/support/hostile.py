"""Texts that attack a page or a terminal that interprets them, and a project full of them."""

import yaml

HARM = "window.harmed=1"
SCRIPT = f"</script><script>{HARM}</script>"
IMAGE = f'<img src=x onerror="{HARM}">'
COMMENT = "<!--<script>"
TEMPLATE = "{{ constructor.constructor('" + HARM + "')() }}"
TYPE = "struct<a:int> & b < c > d"
LETTERS = (
    "quotes \" ' backslash \\n \\u003c line\u2028paragraph\u2029 "
    "emoji \U0001f469\u200d\U0001f680 \u202eeht flipped\u202c"
)
PLACEHOLDERS = '"MANIFEST.JSON INLINE DATA" "CATALOG.JSON INLINE DATA" $& $1 \\1'
# All in one text that has no Markdown syntax.
EVIL = " ".join([SCRIPT, IMAGE, COMMENT, TEMPLATE, TYPE, LETTERS, PLACEHOLDERS])

MARKDOWN = f"""A table:

| a | b |
|---|---|
| {IMAGE} | `{SCRIPT}` |

```sql
select '{SCRIPT}' {COMMENT}
```

[a link](javascript:{HARM}) [data](data:text/html,{SCRIPT}) <javascript:{HARM}>
[harmless](https://example.org/?a=1&b=2) **bold**

<details open ontoggle="{HARM}">
<iframe srcdoc="<script>parent.harmed=1</script>"></iframe>
"""

# Control characters of terminals: colours, the window's title, overwriting, bidirectional controls
# and line breaks.
ESCAPES = "\x1b[31mred\x1b]0;title\x07\x9b2J\x08\x7f\x00\u200f\u202e\u2066\ud83d end"

NAMES = (
    f"<img src=x onerror={HARM}>",
    *("__proto__", "constructor", 'b"c', "\u00e9\U0001f469\u200d\U0001f680"),
)


def evil(where: str) -> str:
    """Return a description that names its place. Jinja does not render it."""
    return f"{{% raw %}}In {where}: {EVIL}{{% endraw %}}"


def told(where: str) -> str:
    """Return the description of that place as a reader sees it, in one line."""
    return " ".join(f"In {where}: {EVIL}".split())


def project() -> dict[str, str]:
    """Return the files of a project with such texts wherever dbt accepts text."""
    meta = {"keeper": IMAGE, f"key {SCRIPT}": SCRIPT, "__proto__": "prototype"}
    columns = ", ".join(f"{n} as `{name}`" for n, name in enumerate(NAMES))
    code = EVIL.replace(TEMPLATE, "")  # dbt allows no Jinja in Python
    return {
        "models/a.sql": f"-- {SCRIPT} {COMMENT} {IMAGE}\nselect '{IMAGE}' as a, {columns}",
        "models/b.py": f"# {code}\ndef model(dbt, spark):\n    '''{SCRIPT}'''\n"
        "    return dbt.ref('a')\n",
        "models/docs.md": f"{{% docs block %}}\n{MARKDOWN}\n{{% enddocs %}}\n",
        "seeds/s.csv": "x\n1\n",
        "macros/m.sql": f"{{% macro m(arg) %}}-- {SCRIPT}{{% endmacro %}}",
        "tests/t.sql": f"-- {SCRIPT}\nselect 1 where false",
        "models/all.yml": yaml.safe_dump(
            {
                "groups": [{"name": "g", "owner": {"name": f"G {IMAGE}", "email": "g@e.org"}}],
                "models": [
                    {
                        "name": "a",
                        "description": evil("model"),
                        "config": {"tags": [IMAGE, SCRIPT], "meta": meta, "group": "g"},
                        "columns": [
                            {
                                "name": "a",
                                "description": evil("column"),
                                "config": {"meta": meta, "tags": [IMAGE]},
                            },
                            *({"name": n, "description": evil(f"name {i}"), "quote": True}
                              for i, n in enumerate(NAMES)),
                        ],
                    },
                    {"name": "b", "description": "{{ doc('block') }}"},
                ],
                "sources": [
                    {
                        "name": "src",
                        "description": evil("source"),
                        "tables": [
                            {
                                "name": "t",
                                "description": evil("table"),
                                "columns": [{"name": "c", "description": evil("source column")}],
                            }
                        ],
                    }
                ],
                "seeds": [
                    {
                        "name": "s",
                        "description": evil("seed"),
                        "config": {"file_format": "iceberg"},
                    }
                ],
                "macros": [
                    {
                        "name": "m",
                        "description": evil("macro"),
                        "arguments": [
                            {"name": "arg", "type": "string", "description": evil("argument")}
                        ],
                    }
                ],
                "exposures": [
                    {
                        "name": "e",
                        "label": f"Label {IMAGE}",
                        "type": "dashboard",
                        "description": evil("exposure"),
                        "url": f"javascript:{HARM}",
                        "owner": {"name": f"Owner {IMAGE}", "email": "o@example.org"},
                        "depends_on": ["ref('a')"],
                        "config": {"meta": meta},
                    }
                ],
                "data_tests": [{"name": "t", "description": evil("test")}],
            }
        ),
    }  # fmt: skip
