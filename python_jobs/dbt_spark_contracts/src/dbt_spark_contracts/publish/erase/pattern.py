r"""How a text may spell the value: as it is, with escapes as in JSON, or a byte a letter.

Java's regular expressions. A landing record may be JSON, where `ü` may stand as `\u00fc`, or a text
that was not UTF-8 and is kept as Latin-1, a character a byte.
"""

import re

_SHORT = {'"': ['\\"', '""'], "\\": ["\\\\"], "/": ["\\/"], "\t": ["\\t"]}

# The value is a word of its own: CUST-1 is neither in CUST-10, nor in CUST-1-B or X.CUST-1. What
# follows an escape, as in \nCUST-1, begins anew.
_BEFORE = r"(?:(?<=\\[bfnrt])|(?<=\\u[0-9a-fA-F]{4})|(?<![\p{L}\p{N}_]|[\p{L}\p{N}_][-.@+]))"
_AFTER = r"(?![\p{L}\p{N}_]|[-.@+][\p{L}\p{N}_])"

_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?")


def inside(value: str) -> str:
    """Return the pattern of the value inside of a text."""
    return f"{_BEFORE}{_spelled(value)}{_AFTER}"


def json_value(value: str) -> str:
    """Return the pattern of the value as a whole value of JSON: `null` may take its place."""
    text = rf'(?<!\\)"{_spelled(value)}"(?=\s*[,}}\]])'
    if _NUMBER.fullmatch(value):
        text += rf"|(?<=[:,\[\s]){_quoted(value)}(?=\s*[,}}\]])"
    return text


def _spelled(value: str) -> str:
    return "".join(map(_letter, value))


def _letter(letter: str) -> str:
    ways = [letter, *_SHORT.get(letter, [])]
    if ord(letter) > 127:
        ways.append(letter.encode().decode("latin-1"))
    units = letter.encode("utf-16-be")
    escape = "".join(rf"\\u(?i:{units[at : at + 2].hex()})" for at in range(0, len(units), 2))
    return f"(?:{'|'.join([*map(_quoted, ways), escape])})"


def _quoted(text: str) -> str:
    return "".join(f"\\{each}" if re.match(r"[!-/:-@\[-`{-~]", each) else each for each in text)
