"""How long it takes to leave an element by an exit, as far as its options say.

A day of the calendar counts as 24 hours, also where the clocks change. A send takes no time: holding is not counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from tactful.elements.contract import Element, Send
from tactful.elements.options.duration import HOUR, MINUTE, Duration
from tactful.elements.options.moment import Moment
from tactful.elements.pause import Pause
from tactful.elements.wait_for_change import WaitForChange
from tactful.elements.wait_for_event import WaitForEvent
from tactful.elements.wait_for_reply import WaitForReply

DAY = 24 * HOUR
WEEK = 7 * DAY
_YEAR = 365 * DAY
_LEAP_YEAR = 366 * DAY

TIMED_OUT, NOT_SENT, NO_DATE = "timed_out", "not_sent", "no_date"


class Mark(NamedTuple):
    """A moment that comes again and again: a time of day, of one weekday, or of a day of the contact's own, such as
    their birthday."""

    minutes: int
    weekday: int | None = None
    attribute: str | None = None

    @property
    def longest(self) -> int:
        """The longest from one to the next, in ms."""
        return _LEAP_YEAR if self.attribute is not None else WEEK if self.weekday is not None else DAY

    def soonest_after(self, other: Mark) -> int:
        """The least from another mark to the next of this one, in ms; always more than nothing."""
        if self == other:
            return _YEAR if self.attribute is not None else self.longest
        if self.weekday is not None and other.weekday is not None:
            days = self.weekday - other.weekday
            return (days * DAY + (self.minutes - other.minutes) * MINUTE) % WEEK or WEEK
        return (self.minutes - other.minutes) * MINUTE % DAY or DAY

    def latest_after(self, other: Mark) -> int:
        """The most from another mark to the next of this one, in ms."""
        of_known_day = self.weekday is None or other.weekday is not None
        return self.soonest_after(other) if self.attribute is None and of_known_day else self.longest


@dataclass(frozen=True, slots=True)
class Passing:
    """How long it takes to leave by an exit, in ms: at least and at most, `most` None where there is no limit.

    The time runs from the arrival; where `sends` are named, from when the newest of their messages was sent, so that
    less of it may be left, or nothing. `mark` is the moment paused until.
    `unknown` says why nothing is known of how long it takes.
    """

    least: int = 0
    most: int | None = 0
    sends: tuple[str, ...] = ()
    mark: Mark | None = None
    unknown: str | None = None


AT_ONCE = Passing()


def passing(element: Element, exit: str) -> Passing | None:
    """How an element is left by an exit; None where it never is, for a wait `forever` does not time out."""
    own = type(element)
    match element:
        case Pause() if own is Pause:
            return _pause(element, exit)
        case WaitForEvent() | WaitForReply() if own in (WaitForEvent, WaitForReply):
            return AT_ONCE if exit == NOT_SENT else _wait(element.within, exit, tuple(element.message or ()))
        case WaitForChange() if own is WaitForChange:
            return _wait(element.within, exit, ())
    if issubclass(own, Send) and (own.enter, own.resume) == (Send.enter, Send.resume):
        return AT_ONCE
    if (own.resume, own.time_up) == (Element.resume, Element.time_up):
        return AT_ONCE  # nothing could end a stay there
    return Passing(most=None, unknown=f"is a {own.__name__}, which does not say how long it takes")


def _pause(pause: Pause, exit: str) -> Passing:
    if pause.for_ is not None:
        length = nominal(pause.for_)
        return Passing(length, length)
    assert pause.until is not None
    if exit == NO_DATE:
        return AT_ONCE
    if pause.until.repeats:
        mark = _mark(pause.until, pause.until.minutes if pause.time is None else pause.time.minutes)
        return Passing(0, mark.longest, mark=mark)
    return Passing(most=None, unknown=f"waits until {pause.until}, however far away that is")


def _mark(moment: Moment, minutes: int) -> Mark:
    return Mark(minutes, moment.weekday, moment.attribute)


def _wait(within: Duration | str, exit: str, sends: tuple[str, ...]) -> Passing | None:
    if not isinstance(within, Duration):
        return None if exit == TIMED_OUT else Passing(0, None, sends)
    length = nominal(within)
    return Passing(length if exit == TIMED_OUT else 0, length, sends)


def nominal(duration: Duration) -> int:
    """A duration in ms, each day of 24 hours."""
    return duration.days * DAY + duration.ms
