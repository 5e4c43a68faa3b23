"""Scenarios as the text of a file, as people write them. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tactful.engine.contacts_file import ContactFields
from tactful.engine.testing.step_reading import ACT_OF, OF_MESSAGES
from tactful.engine.testing.steps import (
    Act,
    After,
    Blocks,
    Changes,
    Ended,
    Enter,
    Expectation,
    Fails,
    GoalReached,
    Happens,
    Listed,
    OptsOut,
    Replies,
    Reported,
    StandsAt,
    Took,
    Until,
    WasSent,
)

_PLAIN = re.compile(r"[^\W\d_][\w ./@>!'-]*|\d{4}-\d\d-\d\d(?: \d\d:\d\d(?::\d\d)?)?|\d+ [a-z][a-z0-9 ]*", re.UNICODE)
_RESERVED = frozenset({"true", "false", "null"})
_OF_MESSAGES = {expectation: word for word, expectation in OF_MESSAGES.items()}


def scenario(
    name: str, about: Sequence[str], contact: Mapping[str, Any], at: str, steps: Sequence[Act | Expectation]
) -> str:
    """One item of `scenarios:`; `about` are lines of a comment above it."""
    lines = [
        *(f"  # {line}" for line in about),
        f"  - name: {scalar(name)}",
        f"    contact: {scalar(contact)}",
        f"    at: {at}",
        "    steps:",
        *(f"      - {word}: {scalar(value)}" for word, value in map(said, steps)),
    ]
    return "\n".join(lines) + "\n"


def comment(text: str) -> str:
    """Text as a comment, whatever stands in it."""
    return "\n".join(f"# {line}".rstrip() for line in "".join(map(_printable, text)).split("\n")) + "\n"


def _printable(char: str) -> str:
    return char if char.isprintable() or char == "\n" else " "


def scalar(value: Any) -> str:
    """A value on one line: text in quotes only where it needs them, lists and mappings in brackets."""
    match value:
        case Mapping():
            return "{" + ", ".join(f"{scalar(name)}: {scalar(each)}" for name, each in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(scalar, value)) + "]"
        case str() if _PLAIN.fullmatch(value) and value[-1] != " " and value.lower() not in _RESERVED:
            return value
        case str():
            return "".join(map(_escaped, json.dumps(value, ensure_ascii=False)))
    return json.dumps(value)


def _escaped(char: str) -> str:
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def said(step: Act | Expectation) -> tuple[str, Any]:
    """A step as its word and what it takes. For those there are; any other raises ValueError."""
    match step:
        case Enter(_, data):
            return "enter", dict(data)
        case Happens(event, data):
            return "happens", {"event": event, **data}
        case Reported(event, element, data):
            return ACT_OF[event], {"element": element, **data} if data else element
        case Replies(text, to, sender):
            return "replies", {"to": to, "text": text} if to is not None else {"sender": sender, "text": text}
        case OptsOut(element):
            return "opts_out", element
        case Blocks(channel, sender, there):
            return "block" if there else "unblock", _channel(channel, sender)
        case Fails(element):
            return "fails", element
        case Changes(fields):
            return "changes", _fields(fields)
        case After(duration):
            return "after", duration.text
        case Until(moment):
            return "until", moment
        case WasSent(element):
            return "sent", element
        case GoalReached(name):
            return "goal", name
        case StandsAt(element):
            return "stands_at", element
        case Ended(element):
            return "ended", element
        case Took(path):
            return "path", list(path)
        case Listed(channel, sender, there):
            return "on_do_not_contact" if there else "not_on_do_not_contact", _channel(channel, sender)
    for kind, word in _OF_MESSAGES.items():
        if isinstance(step, kind):
            return word, step.element
    raise ValueError(f"{step!r} is not written here")


def _channel(channel: str, sender: str | None) -> Any:
    return channel if sender is None else {"channel": channel, "sender": sender}


def _fields(fields: ContactFields) -> dict[str, Any]:
    tags: Iterator[str] = iter(sorted(fields.tags))
    return {**fields.attributes, **({"tags": list(tags)} if fields.tags else {})}
