"""Durations: `48 hours`, `3 days`, `1 week 2 days`, `24h`, `PT24H`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from tactful.elements.options.mistake import Mistake, meant
from tactful.elements.options.wall_time import instant_of, wall_of
from tactful.elements.options.written import Written

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
LONGEST_DAYS = 3_653
"""Ten years; whatever is longer is a slip of the pen."""

SWING = 2 * HOUR
"""By how much a span of calendar days may differ from so many times 24 hours: the farthest any zone in use
moves its clock (Troll in Antarctica; everybody else moves one hour or less)."""

_EXACT = {"second": SECOND, "minute": MINUTE, "hour": HOUR}
_CALENDAR = {"day": 1, "week": 7}
# fmt: off
_SHORT = {
    "s": "second", "sec": "second", "secs": "second", "m": "minute", "min": "minute", "mins": "minute",
    "h": "hour", "hr": "hour", "hrs": "hour", "d": "day", "w": "week",
}
# fmt: on
_UNITS = {
    **{unit: unit for unit in (*_EXACT, *_CALENDAR)},
    **{unit + "s": unit for unit in (*_EXACT, *_CALENDAR)},
    **_SHORT,
}
_VAGUE = ("month", "months", "mo", "year", "years", "y", "yr")

_PART = re.compile(r"\s*(?P<number>[0-9]+(?P<fraction>[.,][0-9]+)?)?\s*(?P<unit>[^\W\d_]+)?", re.UNICODE)
_ISO = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.ASCII)
_ISO_UNITS = ("week", "day", "hour", "minute", "second")


class Duration(Written):
    """A length of time: `days` calendar days (weeks are seven) and `ms` exact milliseconds.

    Calendar days keep the wall time across a clock change: a day after Saturday 09:00 is Sunday 09:00, be it
    23, 24 or 25 hours. At least one of the two is positive, none negative, and together at most ten years.
    """

    __slots__ = ("days", "ms")

    KIND: ClassVar[str] = "a duration"
    FORMAT: ClassVar[str] = "tactful-duration"
    EXAMPLES: ClassVar[tuple[str, ...]] = ("48 hours", "3 days", "1 week", "30 minutes")

    days: int
    ms: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a duration. Raises `Mistake` for anything that is none, or is nothing, negative or over ten
        years."""
        parts = _iso_parts(text) if text.strip()[:1] == "P" else _spoken_parts(text)
        days = sum(number * _CALENDAR[unit] for unit, number in parts.items() if unit in _CALENDAR)
        ms = sum(number * _EXACT[unit] for unit, number in parts.items() if unit in _EXACT)
        if days == 0 and ms == 0:
            raise Mistake(f"`{text}` is no time at all", hint="leave it out, or write how long", code="no-time")
        if days + ms / (24 * HOUR) > LONGEST_DAYS:
            raise Mistake(f"`{text}` is longer than ten years", code="too-long")
        return cls()._set(text=text, days=days, ms=ms)

    @classmethod
    def read(cls, value: object) -> Self:
        if isinstance(value, int | float) and not isinstance(value, bool):
            raise _bare(str(value))
        return super().read(value)

    def after(self, instant: int, zone: ZoneInfo) -> int:
        """The instant this long after another: first the calendar days, by the wall clock of the zone, then
        the rest.

        A wall time the clock skips becomes the first moment after the gap, one it shows twice the first of
        the two. Never earlier for a later start, and always later than the start.
        """
        if self.days:
            landed = instant_of(wall_of(instant, zone) + timedelta(days=self.days), zone)
            # A zone that once skipped a whole day (Samoa, 2011) must not make a day of no length.
            instant = max(landed, instant + 1)
        return instant + self.ms

    @property
    def shortest_ms(self) -> int:
        """The least it can last, in any zone at any time of the year."""
        return self.days * 24 * HOUR + self.ms - (SWING if self.days else 0)

    @property
    def longest_ms(self) -> int:
        """The most it can last, in any zone at any time of the year."""
        return self.days * 24 * HOUR + self.ms + (SWING if self.days else 0)

    def at_most(self, other: Duration) -> bool:
        """Whether it is certainly no longer than another, whatever the zone and the date."""
        if self.days <= other.days and self.ms <= other.ms:
            return True
        return self.longest_ms <= other.shortest_ms


def _spoken_parts(text: str) -> dict[str, int]:
    parts: dict[str, int] = {}
    stripped = text.strip()
    if not stripped:
        raise Mistake("a duration is missing", hint="for example `48 hours`", code="empty")
    if stripped.startswith(("-", "\u2212")):
        raise Mistake(f"`{stripped}` is negative: time only goes forward", code="negative-duration")
    if re.fullmatch(r"\+?[0-9]+([.,][0-9]+)?", stripped):
        raise _bare(stripped)
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _PART.match(text, at)
        if found is None or found.end() == at or not (found["number"] or found["unit"]):
            raise Mistake(f"`{text}` is not a duration", at, "write `1 day 12 hours`", "bad-duration")
        number, unit = found["number"], found["unit"]
        if number is None:
            raise Mistake(
                f"a number must stand before `{unit}`",
                found.start("unit"),
                "write `1 day 12 hours`",
                "bad-duration",
            )
        if found["fraction"]:
            raise Mistake(
                f"`{number}` is not a whole number",
                found.start("number"),
                "write `1 hour 30 minutes`",
                "bad-duration",
            )
        if unit is None:
            raise Mistake(f"`{number}` has no unit", found.start("number"), "write `48 hours` or `2 days`", "no-unit")
        name = _UNITS.get(unit.lower())
        if name is None:
            raise _unknown_unit(unit, found.start("unit"))
        if name in parts:
            raise Mistake(f"`{name}s` stand here twice", found.start("unit"), code="bad-duration")
        if len(number) > 9:
            raise Mistake(f"`{text}` is longer than ten years", found.start("number"), code="too-long")
        parts[name] = int(number)
        at = found.end()
    return parts


def _iso_parts(text: str) -> dict[str, int]:
    found = _ISO.fullmatch(text.strip())
    if found is None or text.strip().endswith("T"):
        hint = "whole weeks, days, hours, minutes and seconds, as in `P7D`, `PT24H` or `P1DT12H`"
        raise Mistake(f"`{text}` is not a duration", hint=hint, code="bad-duration")
    if any(len(number) > 9 for number in found.groups(default="")):
        raise Mistake(f"`{text}` is longer than ten years", code="too-long")
    return {unit: int(number) for unit, number in zip(_ISO_UNITS, found.groups(), strict=True) if number}


def _bare(number: str) -> Mistake:
    hint = f"write `{number.lstrip('+')} hours` or `{number.lstrip('+')} days`"
    if number.startswith("-"):
        return Mistake(f"`{number}` is negative: time only goes forward", code="negative-duration")
    return Mistake(f"`{number}` has no unit: it could be minutes, hours or days", hint=hint, code="no-unit")


def _unknown_unit(unit: str, at: int) -> Mistake:
    if unit.lower() in _VAGUE:
        hint = "write so many days or weeks"
        return Mistake(f"`{unit}` has no fixed length", at, hint, "unknown-unit")
    units = [name + "s" for name in (*_EXACT, *_CALENDAR)]
    return Mistake(
        f"`{unit}` is no unit of time",
        at,
        meant(unit, units) or f"there are {', '.join(units)}",
        "unknown-unit",
    )


class _OrForever:
    """Reads a duration, or the word `forever`. One reader, so that a mistake is reported once."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            read_within, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "format": Duration.FORMAT, "examples": [*Duration.EXAMPLES, "forever"]}


def read_within(value: object) -> Duration | Literal["forever"]:
    """Read a duration or the word `forever`. Raises `Mistake`."""
    if isinstance(value, str) and value.strip() == "forever":
        return "forever"
    return Duration.read(value)


Within = Annotated[Duration | Literal["forever"], _OrForever]
"""How long to wait at most: a duration, or `forever` for no limit."""
