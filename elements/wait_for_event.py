"""The element `wait_for_event`."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

from pydantic import Field, field_validator

from tactful.elements.contract import CONTACT_CHANGED, Await, Element, Event, Family, Leave, Stay, Visit
from tactful.elements.options.channel import MESSAGE_EVENTS
from tactful.elements.options.condition import Condition
from tactful.elements.options.duration import Within
from tactful.elements.options.mistake import Mistake
from tactful.elements.options.reference import SendRefs, newest_sent
from tactful.elements.options.wording import up_to

_OUTCOMES = ("sent", "failed", "suppressed")


class WaitForEvent(Element):
    """Waits until something happens, or does not happen in time.

    With `message`, the `event` is one of a message sent earlier in this journey: `opened`, `clicked`,
    `delivered`, `replied`, `bounced`, `complained` or `opted_out`. The time runs from when that message was
    really sent, and an event that came before the wait began counts too; so a pause in between eats into the
    time. Where `message` names several sends, the one sent last is meant. Where none of them was sent, the
    journey leaves at once by `not_sent`.

    Without `message`, the `event` is one of your own, such as `purchased`, that happens to the contact
    after the wait or pause before this one. The time runs from the arrival here. `opened` and the like
    without `message` is an event of any message of this journey.

    An event counts only where the condition `where` holds, if there is one. One event satisfies one wait,
    once.

    The journey leaves by `happened` when the event came, by `timed_out` when it did not come `within` the
    time. To wait without a limit, write `within: forever`.

    Example:
        opened:
          type: wait_for_event
          event: opened
          message: offer
          within: 48 hours
          next: {happened: thank_you, timed_out: reminder, not_sent: end}
    """

    exits: ClassVar[tuple[str, ...]] = ("happened", "timed_out")
    family: ClassVar[Family] = "wait"

    event: str = Field(
        min_length=1,
        description="What to wait for: `opened`, `clicked` and so on, or the name of an event of your own.",
        json_schema_extra={"examples": [*sorted(MESSAGE_EVENTS), "purchased"]},
    )
    message: SendRefs | None = Field(
        None, description="The send, or a list of sends, of this flow whose message the event is about."
    )
    where: Condition | None = Field(None, description="A condition the event must fulfil, such as `event.value > 100`.")
    within: Within = Field(description="How long to wait at most: a duration, or `forever`.")

    @field_validator("event")
    @classmethod
    def _can_be_awaited(cls, event: str) -> str:
        if event in _OUTCOMES:
            hint = f"every send has an exit `{event}`: name it in its `next`"
            raise Mistake(f"`{event}` is how a send ends, not an event", hint=hint, code="not-an-event")
        if event == CONTACT_CHANGED:
            raise Mistake(f"`{event}` is awaited by `wait_for_change`", code="not-an-event")
        return event

    def ways_out(self) -> tuple[str, ...]:
        return self.exits if self.message is None else (*self.exits, "not_sent")

    def summary(self) -> str:
        return f"{self.event.replace('_', ' ')}, {up_to(self.within)}"

    def lets_time_pass(self) -> bool:
        """Without `message`, always. With it the time runs from the sending, so whoever comes by again for the
        same message may leave at once; a circle through such a wait needs a pause as well."""
        return self.message is None

    def awaits(self, visit: Visit) -> tuple[Await, ...]:
        if self.message is None:
            return self._own
        sent = newest_sent(self.message, visit)
        return () if sent is None else (Await(self.event, sent.step, self.where),)

    def enter(self, visit: Visit) -> Leave | Stay:
        begins = visit.now
        if self.message is not None:
            sent = newest_sent(self.message, visit)
            if sent is None or sent.sent_at is None:
                return _NOT_SENT
            begins = sent.sent_at
        # Also a deadline that has passed is stayed for: what came in time is looked up in the log first.
        return Stay(until=None if self.within == "forever" else self.within.after(begins, visit.zone))

    def resume(self, visit: Visit, event: Event) -> Leave | Stay:
        return _HAPPENED

    def time_up(self, visit: Visit) -> Leave | Stay:
        return _TIMED_OUT

    @cached_property
    def _own(self) -> tuple[Await, ...]:
        return (Await(self.event, None, self.where),)


_HAPPENED, _TIMED_OUT, _NOT_SENT = Leave("happened"), Leave("timed_out"), Leave("not_sent")
