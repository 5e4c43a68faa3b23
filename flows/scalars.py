"""What a plain scalar is: YAML 1.2's core schema, made stricter so that what is written stays what it looks like.

A number is a number only where Python would write it just so: `5`, `-3`, `3.5`, `20.0`. Everything else stays the
text it is: `1.10` (a version, or a price that wants its nought), `01234`, `+49…`, `1e3`, `0x1F`, `.5`, `12:30`,
`2026-12-24`, `no`, `on`. So no spelling is ever lost: where text is wanted, a number is its own spelling; where a
number is wanted, `1.10` is read as one.
"""

from __future__ import annotations

import re

Scalar = str | int | float | bool | None

_WORDS: dict[str, Scalar] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip

# Seventeen digits: more are an id or a phone number, not something to count with, and would lose digits elsewhere.
_INTEGER = re.compile(r"-?[1-9][0-9]{0,16}|0", re.ASCII)
_FLOAT = re.compile(r"-?(?:[1-9][0-9]{0,14}|0)\.[0-9]{1,15}", re.ASCII)


def resolve(text: str) -> Scalar:
    """The value of a plain (unquoted) scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "-0123456789":
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text) and repr(float(text)) == text:
            return float(text)
    return text
