"""The element `wait_for_change`."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import ClassVar

from pydantic import Field

from tactful.elements.contract import (
    CONTACT_CHANGED,
    Await,
    Element,
    Event,
    Family,
    Instant,
    Leave,
    Stay,
    Visit,
)
from tactful.elements.options.condition import Condition
from tactful.elements.options.duration import Within
from tactful.elements.options.wall_time import instant_of, wall_of
from tactful.elements.options.wording import up_to


class WaitForChange(Element):
    """Waits until a condition on the contact holds, or does not come to hold in time.

    `when` is the condition. Where it holds already, the journey goes on at once. Otherwise it is asked again whenever
    the contact's attributes or tags change, by whatever hand; a condition that looks at the date (`now`,
    `days_since`, `days_until`) also at the beginning of each day in the contact's time zone.

    The journey leaves by `happened` when the condition holds, by `timed_out` when it did not come to hold
    `within` the time, which runs from the arrival here. To wait without a limit, write `within: forever`.

    Example:
        joined_club:
          type: wait_for_change
          when: contact.tier == "gold" or has_tag("club")
          within: 30 days
          next: {happened: welcome, timed_out: end}
    """

    exits: ClassVar[tuple[str, ...]] = ("happened", "timed_out")
    family: ClassVar[Family] = "wait"

    when: Condition = Field(description='The condition to wait for, such as `contact.tier == "gold"`.')
    within: Within = Field(description="How long to wait at most: a duration, or `forever`.")

    def summary(self) -> str:
        return f"until {self.when}, {up_to(self.within)}"

    def awaits(self, visit: Visit) -> tuple[Await, ...]:
        return self._changes

    def enter(self, visit: Visit) -> Leave | Stay:
        return _HAPPENED if visit.holds(self.when) else self._stay(visit)

    def resume(self, visit: Visit, event: Event) -> Leave | Stay:
        return _HAPPENED if visit.holds(self.when) else self._stay(visit)

    def time_up(self, visit: Visit) -> Leave | Stay:
        # A day begins, or the time is over. At the very end the condition is asked once more: it counts.
        if self.when.uses_time and visit.holds(self.when):
            return _HAPPENED
        deadline = self._deadline(visit)
        return _TIMED_OUT if deadline is not None and deadline <= visit.now else self._stay(visit)

    def _deadline(self, visit: Visit) -> Instant | None:
        return None if self.within == "forever" else self.within.after(visit.arrived_at, visit.zone)

    def _stay(self, visit: Visit) -> Stay:
        until = self._deadline(visit)
        if self.when.uses_time:
            tomorrow = wall_of(visit.now, visit.zone).replace(hour=0, minute=0, second=0, microsecond=0)
            next_day = instant_of(tomorrow + timedelta(days=1), visit.zone)
            until = next_day if until is None else min(until, next_day)
        return Stay(until=until)

    @cached_property
    def _changes(self) -> tuple[Await, ...]:
        # `event.` means the entry here, as everywhere but in `where`; such a condition is asked in `resume`.
        of_event = any(use.root == "event" for use in self.when.names)
        return (Await(CONTACT_CHANGED, None, None if of_event else self.when),)


_HAPPENED, _TIMED_OUT = Leave("happened"), Leave("timed_out")
