"""What stands in requests and answers: texts of bounded length, times with their zone, data of the caller's own."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from tactful.elements.contract import Instant
from tactful.elements.options.channel import CHANNELS
from tactful.engine.instants import instant
from tactful.engine.rules.permission import ALL_CHANNELS
from tactful.engine.store.rows import to_json

MOST = 1_000
"""Items in one request."""

LONGEST_DATA = 64_000
DEEPEST_DATA = 20
LARGEST_INTEGER = 2**63 - 1

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_YEAR_1, _YEAR_9999 = -62_135_596_800_000, 253_402_300_799_999
NO_NUL = r"^[^\x00]*$"


class Body(BaseModel):
    """What a request brings: nothing that is not asked for, and nothing of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Asked(BaseModel):
    """What stands in a query: nothing that is not known, for a filter that is mistyped would let everything pass."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("it is blank")
    return text


def bounded(longest: int, shortest: int = 1) -> StringConstraints:
    """A text of so many characters, without NUL; half characters are refused by the type itself."""
    return StringConstraints(min_length=shortest, max_length=longest, pattern=NO_NUL)


Name = Annotated[str, bounded(200)]
"""A contact's, an event's or a flow's name."""

Address = Annotated[str, bounded(320), Field(json_schema_extra={"format": "destination"})]
"""An address in any spelling."""

SenderName = Annotated[str, bounded(320), Field(json_schema_extra={"format": "sender"})]
"""One of the project's senders."""

Reason = Annotated[str, bounded(500), AfterValidator(_not_blank), Field(json_schema_extra={"format": "reason"})]


def _read_time(written: object) -> Instant:
    if not isinstance(written, str) or not _RFC3339.fullmatch(written):
        raise ValueError("it is no time with its zone, such as 2026-03-02T09:00:00+01:00")
    try:
        at = instant(datetime.fromisoformat(written.upper()))
    except ValueError as error:
        raise ValueError(f"there is no such time: {error}") from None
    return min(max(at, _YEAR_1), _YEAR_9999)


Time = Annotated[Instant, BeforeValidator(_read_time), WithJsonSchema({"type": "string", "format": "date-time"})]
"""A time with its zone (RFC 3339), as an instant."""

WrittenTime = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""A time in an answer, in UTC."""

Channel = Annotated[
    str,
    AfterValidator(lambda name: _one_of(name, CHANNELS)),
    WithJsonSchema({"type": "string", "enum": list(CHANNELS)}),
]
ChannelOrAll = Annotated[
    str,
    AfterValidator(lambda name: _one_of(name, [*CHANNELS, ALL_CHANNELS])),
    WithJsonSchema({"type": "string", "enum": [*CHANNELS, ALL_CHANNELS]}),
]


def _one_of(name: str, names: Sequence[str] | Mapping[str, Any]) -> str:
    if name not in names:
        raise ValueError(f"it is not one of {', '.join(names)}")
    return name


def fault_in(data: Mapping[str, Any]) -> str | None:
    """Why data of the caller's own cannot be kept; None where it can. It is read again for years, so it must be what
    every JSON reader reads alike."""
    fault = _fault(data, DEEPEST_DATA)
    if fault is None and len(to_json(data)) > LONGEST_DATA:
        return f"its data is longer than {LONGEST_DATA:,} characters"
    return fault


def _fault(value: Any, depth: int) -> str | None:
    if not depth:
        return "its data is nested too deeply"
    inside: Callable[[Any], str | None] = lambda each: _fault(each, depth - 1)  # noqa: E731 -- as short as it is
    match value:
        case str():
            if "\0" in value or not (value.isascii() or _is_whole(value)):
                return "its data holds a text with NUL or half a character in it"
        case float() if not math.isfinite(value):
            return "its data holds a number that is too large"
        case int() if abs(value) > LARGEST_INTEGER:
            return "its data holds a number that is too large"
        case dict():
            return next(filter(None, (inside(each) for pair in value.items() for each in pair)), None)
        case list():
            return next(filter(None, map(inside, value)), None)
    return None


def _is_whole(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
