"""A contact's story as a person reads it: what happened, what was done with it, and when."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from tactful.elements.contract import Event, Instant, MessageKey
from tactful.elements.options.wall_time import wall_of
from tactful.engine.instants import iso
from tactful.engine.interpreter import ACTIVE, Journey
from tactful.engine.testing import history
from tactful.engine.testing.history import MessageStand

if TYPE_CHECKING:
    from tactful.engine.testing.world import Became, World

_SHOWN = 60
_MOST_LINES = 1_000_000  # of one journey; lines of several that share a moment stand journey by journey


@dataclass(frozen=True, slots=True)
class Traced:
    """One line of a trace. `journey` is None for what is the contact's own."""

    at: Instant
    text: str
    journey: int | None = None

    def render(self, zone: ZoneInfo) -> str:
        """`2026-03-02 09:00:00  offer -> sent`, in a zone."""
        return f"{wall(self.at, zone)}  {self.text}"

    def as_json(self) -> dict[str, Any]:
        """at (ISO 8601, UTC), text, journey."""
        return {"at": iso(self.at), "text": self.text, "journey": self.journey}


def wall(at: Instant, zone: ZoneInfo) -> str:
    """A moment as the wall shows it: `Mon 2026-03-02 09:00`, with seconds where there are any."""
    when = wall_of(at, zone)
    return f"{when:%a %Y-%m-%d %H:%M:%S}".removesuffix(":00")


def trace(world: World, contact: str, zone: ZoneInfo) -> tuple[Traced, ...]:
    """All that happened to a contact so far, oldest first, and within a moment causes before what they caused."""
    journeys = world.journeys(contact)
    with world.engine.store.read() as tx:
        events = history.events(tx, contact)
        element = {message.key: message.element for message in history.messages(tx)}
    lines = [
        _Line(event.at, event.id, 0, Traced(event.at, _event(event, element), _journey(event))) for event in events
    ]
    for journey in journeys:
        lines += _lines(world, journey, zone)
    return tuple(line.traced for line in sorted(lines, key=lambda line: line[:3]))


class _Line(NamedTuple):
    """A line with its place: `after` is the event it came after, `number` counts what one event brought about."""

    at: Instant
    after: int
    number: int
    traced: Traced


def _lines(world: World, journey: Journey, zone: ZoneInfo) -> Iterator[_Line]:
    after, numbers = journey.entry.id, count(journey.id * _MOST_LINES)

    def line(at: Instant, text: str) -> _Line:
        return _Line(at, after, next(numbers), Traced(at, text, journey.id))

    yield line(journey.entered_at, f"enters {journey.flow}")
    visits = {visit.step: visit for visit in world.visits(journey.id)}
    messages: dict[int, list[Became]] = defaultdict(list)
    for became in world.became:
        if became.message.key.journey == journey.id:
            messages[became.message.key.step].append(became)
    for step in sorted({*visits, *messages}):
        for became in messages[step]:
            yield line(became.at, f"message of {became.message.element}: {told(became.message, zone)}")
        if step in visits:
            visit = visits[step]
            after = max(after, visit.event or 0)
            yield line(visit.left_at, f"{visit.element} -> {visit.exit}" + (f" ({visit.why})" if visit.why else ""))
    after = sys.maxsize
    yield line(world.clock.now() if journey.ended_at is None else journey.ended_at, stand(journey, zone))


def told(message: MessageStand, zone: ZoneInfo) -> str:
    """What became of a message, in words: `held until Mon 2026-03-02 08:00 (quiet hours in Europe/Zagreb)`."""
    until = f" until {wall(message.due_at, zone)}" if message.state == "held" and message.due_at is not None else ""
    why = f" ({message.why})" if message.why else ""
    return f"{message.state}{until}{why}"


def stand(journey: Journey, zone: ZoneInfo) -> str:
    """Where a journey is, in words."""
    if journey.state == ACTIVE:
        until = "" if journey.due_at is None else f" until {wall(journey.due_at, zone)}"
        return f"stands at {journey.element}{until}"
    return f"has ended: {journey.state}" + (f" ({journey.why})" if journey.why else "")


def _journey(event: Event) -> int | None:
    return None if event.message is None else event.message.journey


def _event(event: Event, element: Mapping[MessageKey, str]) -> str:
    data = "" if not event.data else f" {shown(dict(event.data))}"
    of = "" if event.message is None else f" {element[event.message]}"
    return f"{event.name}{of}{data}"


def shown(value: Any) -> str:
    """A value as a message shows it: short, on one line."""
    text = str(value) if not isinstance(value, Mapping) else ", ".join(f"{key}: {one}" for key, one in value.items())
    text = "".join(char if char.isprintable() else " " for char in text)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def render(lines: Sequence[Traced], zone: ZoneInfo) -> list[str]:
    """A trace as lines of text."""
    return [line.render(zone) for line in lines]
