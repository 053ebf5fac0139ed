"""Converts Spark's types to the Open Data Contract Standard: a logical type, and fields."""

import re
from typing import Any

# ODCS 3.1. Spark's other types have only a physical type.
_LOGICAL = {
    **dict.fromkeys(("string", "binary", "varchar", "char"), "string"),
    **dict.fromkeys(("tinyint", "smallint", "int", "integer", "bigint", "long"), "integer"),
    **dict.fromkeys(("float", "double", "decimal", "numeric", "real"), "number"),
    **dict.fromkeys(("timestamp", "timestamp_ntz", "timestamp_ltz"), "timestamp"),
    **{"date": "date", "boolean": "boolean", "array": "array", "struct": "object", "map": "object"},
}
_NAMED = re.compile(r"\s*(`(?:[^`]|``)*`|[^\s:]+)\s*:?\s*(.*)", re.DOTALL)


def logical(data_type: str) -> dict[str, Any]:
    """Return a column's logical and physical type, with struct fields and array items.

    Args:
        data_type: The type, in Spark's spelling.
    """
    kind, _, inner = data_type.partition("<")
    name = kind.partition("(")[0].strip().lower()
    told: dict[str, Any] = {"physicalType": data_type}
    if name in _LOGICAL:
        told = {"logicalType": _LOGICAL[name], **told}
    inner = inner.rpartition(">")[0]
    if name == "array" and inner:
        told["items"] = logical(inner.strip())
    elif name == "struct" and inner:
        fields = [found for part in _parts(inner) if (found := _NAMED.fullmatch(part))]
        told["properties"] = [{"name": _bare(each[1]), **logical(each[2])} for each in fields]
    return told


def _parts(text: str) -> list[str]:
    """Return the fields of a struct. They are separated by commas outside of brackets."""
    parts, depth, quoted = [""], 0, False
    for letter in text:
        quoted ^= letter == "`"
        depth += 0 if quoted else {"<": 1, "(": 1, ">": -1, ")": -1}.get(letter, 0)
        if letter == "," and not depth and not quoted:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _bare(name: str) -> str:
    return name[1:-1].replace("``", "`") if name.startswith("`") else name
