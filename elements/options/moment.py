"""Moments to wait until: `09:00`, `monday 09:00`, `2026-12-24 18:00`, `contact.birthday`."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from datetime import time as clock
from typing import TYPE_CHECKING, ClassVar, Self
from zoneinfo import ZoneInfo

from tactful.elements.options.mistake import Mistake, meant
from tactful.elements.options.wall_time import day_of_date, instant_of, instant_of_date, read_date, wall_of
from tactful.elements.options.written import Written

if TYPE_CHECKING:
    from tactful.elements.contract import Contact

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_TIME = re.compile(r"(\d{1,2}):(\d\d)", re.ASCII)
_DATED = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ]+(\S+))?", re.ASCII)
_ATTRIBUTE = re.compile(r"contact\.([^\W\d]\w*)(\s+every\s+year)?", re.UNICODE)
_YEARLY = re.compile(r"(?:\w+_)?(?:birthday|anniversary)|birth_?date|date_of_birth")


class TimeOfDay(Written):
    """A time on the clock, `09:00` or `21:30`: `minutes` after midnight, 0 to 1439."""

    __slots__ = ("minutes",)

    KIND: ClassVar[str] = "a time of day"
    FORMAT: ClassVar[str] = "tactful-time"
    EXAMPLES: ClassVar[tuple[str, ...]] = ("09:00", "21:30")

    minutes: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `HH:MM` on the 24-hour clock. Raises `Mistake` for anything else."""
        found = _TIME.fullmatch(text.strip())
        if found is None or int(found[1]) > 23 or int(found[2]) > 59:
            hint = "hours and minutes from 00:00 to 23:59, as in `09:00` or `21:30`"
            raise Mistake(f"`{text}` is not a time of day", hint=hint, code="bad-time")
        return cls()._set(text=text, minutes=int(found[1]) * 60 + int(found[2]))


class Moment(Written):
    """A moment in the contact's own time, once or again and again.

    Written as a time of day (`09:00`: the next one), a weekday (`monday`, `monday 09:00`: the next one), a
    date (`2026-12-24`, `2026-12-24 18:00`: that one) or a contact's attribute that holds a date. An attribute
    named as a birthday or an anniversary (`birthday`, `wedding_anniversary`, `date_of_birth`) means the next
    one, and so does any other followed by `every year` (`contact.joined every year`); all others mean the
    very date they hold. Without a time, a day begins at midnight.

    `repeats` is False for a fixed date. `attribute` is the attribute's name, or None. `has_time` says whether
    a time of day is written in it.
    """

    __slots__ = ("_day", "_minutes", "_weekday", "attribute", "repeats")

    KIND: ClassVar[str] = "a moment"
    FORMAT: ClassVar[str] = "tactful-moment"
    EXAMPLES: ClassVar[tuple[str, ...]] = ("09:00", "monday 09:00", "2026-12-24 18:00", "contact.birthday")

    attribute: str | None
    repeats: bool
    _day: date | None
    _weekday: int | None
    _minutes: int | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a moment. Raises `Mistake`."""
        stripped = text.strip()
        if _TIME.fullmatch(stripped):
            return cls()._fill(text, repeats=True, minutes=TimeOfDay.parse(stripped).minutes)
        if found := _DATED.fullmatch(stripped):
            day = read_date(found[1])
            if day is None:
                raise Mistake(f"there is no {found[1]} in the calendar", code="bad-date")
            minutes = TimeOfDay.parse(found[2]).minutes if found[2] else None
            return cls()._fill(text, repeats=False, day=day, minutes=minutes)
        if found := _ATTRIBUTE.fullmatch(stripped):
            yearly = bool(found[2]) or _YEARLY.fullmatch(found[1]) is not None
            return cls()._fill(text, repeats=yearly, attribute=found[1])
        word, _, time = stripped.partition(" ")
        if word.lower() in WEEKDAYS:
            minutes = TimeOfDay.parse(time).minutes if time.strip() else None
            return cls()._fill(text, repeats=True, weekday=WEEKDAYS.index(word.lower()), minutes=minutes)
        hint = meant(word, WEEKDAYS) or "for example " + ", ".join(f"`{one}`" for one in cls.EXAMPLES)
        raise Mistake(f"`{text}` is not a moment", hint=hint, code="bad-moment")

    def _fill(
        self,
        text: str,
        *,
        repeats: bool,
        attribute: str | None = None,
        day: date | None = None,
        weekday: int | None = None,
        minutes: int | None = None,
    ) -> Self:
        return self._set(text=text, repeats=repeats, attribute=attribute, _day=day, _weekday=weekday, _minutes=minutes)

    @property
    def has_time(self) -> bool:
        """Whether a time of day is written in it, so that none may be given beside it."""
        return self._minutes is not None

    @property
    def minutes(self) -> int:
        """The time of day written in it, in minutes after midnight; 0 where none is."""
        return self._minutes or 0

    @property
    def weekday(self) -> int | None:
        """The day of the week it is about, 0 for Monday; None where it is about none."""
        return self._weekday

    def next(self, now: int, zone: ZoneInfo, contact: Contact, time: TimeOfDay | None = None) -> int | None:
        """The instant meant by someone who arrives `now`, or None where the contact has no such date.

        What repeats lies after `now`, always. A fixed date is given as it is, also when it has passed. A time
        the clock skips is the first valid moment after it; one it shows twice, the first of the two. 29
        February is the 28th in other years. An attribute that holds a date and time keeps its time unless
        `time` is given.
        """
        minutes = self._minutes if time is None else time.minutes
        try:
            if self.attribute is not None:
                return self._by_attribute(self.attribute, contact, now, zone, minutes)
            if self._day is not None:
                return _at(self._day, minutes, zone)
            today = wall_of(now, zone).date()
            ahead = 0 if self._weekday is None else (self._weekday - today.weekday()) % 7
            step = 1 if self._weekday is None else 7
            found = _at(today + timedelta(days=ahead), minutes, zone)
            while found <= now:  # once; twice where a zone skipped a whole day
                ahead += step
                found = _at(today + timedelta(days=ahead), minutes, zone)
            return found
        except OverflowError:  # year 1 or 9999
            return None

    def _by_attribute(
        self, attribute: str, contact: Contact, now: int, zone: ZoneInfo, minutes: int | None
    ) -> int | None:
        value = contact.attributes.get(attribute)
        held = read_date(value.strip()) if isinstance(value, str) else None
        if held is None:
            return None
        if not self.repeats:
            if minutes is None:
                return instant_of_date(held, zone)
            day = day_of_date(held, zone)
            return None if day is None else _at(day, minutes, zone)
        # A birthday is a day of the calendar, whatever zone it was written with.
        born = held.date() if isinstance(held, datetime) else held
        year = wall_of(now, zone).year
        return next(
            found for later in range(3) if (found := _at(_anniversary(born, year + later), minutes, zone)) > now
        )


def _at(day: date, minutes: int | None, zone: ZoneInfo) -> int:
    hours, rest = divmod(minutes or 0, 60)
    return instant_of(datetime.combine(day, clock(hours, rest)), zone)


def _anniversary(born: date, year: int) -> date:
    try:
        return born.replace(year=year)
    except ValueError:  # 29 February in an ordinary year
        return date(year, 2, 28)
