"""Texts in a model's code whose meaning depends on the day or the target."""

import re
from collections.abc import Iterable

# Spark reads 'today' as a date, and puts the current day into the plan.
SPECIAL_DATE = re.compile(r"""["']\s*(now|today|tomorrow|yesterday|epoch)\b""", re.IGNORECASE)


def depends_on_when_or_where(code: str, schemas: Iterable[str]) -> bool:
    """Return whether the code has a special date, a Spark variable, or the name of a schema."""
    names = any(re.search(rf"\b{re.escape(name)}\b", code) for name in schemas)
    return names or "${" in code or bool(SPECIAL_DATE.search(code))
