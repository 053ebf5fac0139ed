"""Texts in a model's code that mean something else on another day, or in another target."""

import re
from collections.abc import Iterable

# Spark reads 'today' as a date, and puts the day of the analysis into the plan.
SPECIAL_DATE = re.compile(r"""["']\s*(now|today|tomorrow|yesterday|epoch)\b""", re.IGNORECASE)


def depends_on_when_or_where(code: str, schemas: Iterable[str]) -> bool:
    """Does the code hold a special date, a variable of Spark's, or a schema's own name?"""
    names = any(re.search(rf"\b{re.escape(name)}\b", code) for name in schemas)
    return names or "${" in code or bool(SPECIAL_DATE.search(code))
