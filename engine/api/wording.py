"""What is wrong with a request, in words of our own: those of the library that reads it tell of its own insides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SAYS = {
    "missing": "it is missing",
    "extra_forbidden": "there is no such field",
    "string_unicode": "it holds half a character",
    "string_pattern_mismatch": "it holds a character that is none (NUL)",  # `NO_NUL`, the one pattern there is
}
_WANTED = {
    "string": "a text", "int": "a whole number", "float": "a number", "finite": "a number", "bool": "true or false",
    "list": "a list", "tuple": "a list", "dict": "an object", "model": "an object",
}  # fmt: skip
_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "less_than_equal": ("le", "at most"),
}
_UNITS = {"string_too_short": "character", "string_too_long": "character", "too_short": "item", "too_long": "item"}


def worded(kind: str, context: Mapping[str, Any]) -> str:
    """Why a value is refused; `kind` and `context` are pydantic's `type` and `ctx`. Of an error of our own, its
    message."""
    if kind in _SAYS:
        return _SAYS[kind]
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"it must be {context['expected']}"
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"it must be {words} {context[name]:,}"
    if kind in _UNITS:
        return _too_long_or_short(kind, context)
    wanted = _WANTED.get(kind.partition("_")[0])
    return "it is not as it should be" if wanted is None else f"it must be {wanted}"


def _too_long_or_short(kind: str, context: Mapping[str, Any]) -> str:
    if context.get("min_length") == 1:
        return "it is empty"
    words, most = ("fewer", context["min_length"]) if "min_length" in context else ("more", context["max_length"])
    return f"it has {words} than {most:,} {_UNITS[kind]}{'' if most == 1 else 's'}"
