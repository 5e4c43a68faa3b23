"""The element `pause`."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from tactful.elements.contract import Element, Family, Leave, Stay, Visit
from tactful.elements.options.duration import Duration
from tactful.elements.options.mistake import Mistake
from tactful.elements.options.moment import Moment, TimeOfDay


class Pause(Element):
    """Pauses for a while, or until a moment.

    `for` is a duration: `3 days` later at the same time of day, or `72 hours` later to the minute.

    `until` is a moment in the contact's own time zone: a time of day (`"09:00"`), a weekday (`monday 09:00`),
    a date (`2026-12-24 18:00`), or an attribute of the contact that holds a date (`contact.birthday`). A
    time, a weekday and a birthday mean the next one: a time already past today is tomorrow's, a birthday on
    29 February is on the 28th in other years. A date already past goes on at once. An attribute named as a
    birthday or an anniversary comes back every year; any other means the very day it holds, unless `every
    year` follows (`contact.joined every year`).

    `time` says at what time of that day, where `until` does not: `until: contact.birthday` with `time:
    "09:00"`. Without it, a day begins at midnight.

    The journey leaves by `done`. Where `until` names an attribute and the contact has no date there, it
    leaves at once by `no_date`, which ends it unless `next` says otherwise: nobody gets a birthday card on a
    day that is none.

    Example:
        party:
          type: pause
          until: contact.birthday
          time: "09:00"
          next: congratulate
    """

    optional_exits: ClassVar[tuple[str, ...]] = ("no_date",)
    family: ClassVar[Family] = "wait"

    for_: Duration | None = Field(None, alias="for", description="How long to pause.")
    until: Moment | None = Field(
        None, description="Until when to pause: a time, a weekday, a date, or `contact.birthday`."
    )
    time: TimeOfDay | None = Field(None, description="At what time of the day that `until` names.")

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.for_ is None) == (self.until is None):
            raise Mistake("a pause has either `for` or `until`", code="for-or-until")
        if self.time is not None and (self.until is None or self.until.has_time):
            where = "`for` has no use for it" if self.until is None else "`until` has one already"
            raise Mistake(f"there is no place for `time` here: {where}", code="time-twice")
        return self

    def ways_out(self) -> tuple[str, ...]:
        return ("done", "no_date") if self.until is not None and self.until.attribute else self.exits

    def summary(self) -> str:
        if self.for_ is not None:
            return f"for {self.for_}"
        return f"until {self.until}, {self.time}" if self.time is not None else f"until {self.until}"

    def lets_time_pass(self) -> bool:
        """For a duration, and until what comes back. A fixed date lets time pass once only."""
        return self.until is None or self.until.repeats

    def enter(self, visit: Visit) -> Leave | Stay:
        if self.for_ is not None:
            return Stay(until=self.for_.after(visit.now, visit.zone))
        assert self.until is not None
        moment = self.until.next(visit.now, visit.zone, visit.contact, self.time)
        if moment is None:
            return _NO_DATE if self.until.attribute else _DONE
        return Stay(until=moment) if moment > visit.now else _DONE

    def time_up(self, visit: Visit) -> Leave | Stay:
        return _DONE


_DONE, _NO_DATE = Leave("done"), Leave("no_date")
