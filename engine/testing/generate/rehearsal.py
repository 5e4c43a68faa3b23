"""A rehearsal: a plan walked through with given values, without an engine, to see how far it goes. Pure.

It asks the same interpreter as the engine does, and stands in for everything around it: messages are sent at once,
events come when they are awaited, time passes when nothing else is meant to happen. What the engine knows beside that
(quiet hours, limits, keyword rules) shows when the plan is played in a world.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tactful.elements.contract import CONTACT_CHANGED, NOTHING, Await, Contact, Event, Message, MessageKey, Send
from tactful.elements.options.channel import MESSAGE_EVENTS
from tactful.engine.addresses import address_of
from tactful.engine.interpreter import ElementError, Journey, Step, advance, awaited, start, visit_of, zone_of
from tactful.engine.testing.generate.plans import Hop, Plan
from tactful.engine.testing.generate.values import ANSWER, Name, Values, nested, tags_in
from tactful.flows.model import ByEvent, Flow

AT, THEN = "at", "then"
_MOST_LOOKS = 400  # a year of days


@dataclass(frozen=True, slots=True)
class Passing:
    """Time passes until the stay ends by itself."""


@dataclass(frozen=True, slots=True)
class Happening:
    """An event: of the newest message of an element, or (None) the contact's own."""

    event: str
    element: str | None
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Changing:
    """The contact changes: attributes (None removes one) and tags they get."""

    attributes: Mapping[str, Any]
    tags: frozenset[str]


Stimulus = Passing | Happening | Changing
"""What ends a stay."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How far it went: `hops` of the plan were taken, -1 where the journey does not even begin. `stimuli` end the
    stays, by the number of the hop; `asked` are the names elements asked the contact for."""

    hops: int
    stimuli: Mapping[int, Stimulus]
    asked: frozenset[Name] = frozenset()


class _Attributes(dict[str, Any]):
    """Attributes that note what they are asked for."""

    def __init__(self, values: Mapping[str, Any], asked: set[Name]) -> None:
        super().__init__(values)
        self._asked = asked

    def get(self, name: str, default: Any = None) -> Any:
        self._asked.add(("contact", name))
        return super().get(name, default)

    def __getitem__(self, name: str) -> Any:
        self._asked.add(("contact", name))
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self._asked.add(("contact", str(name)))
        return super().__contains__(name)


@dataclass(slots=True)
class _Stand:
    """Where a rehearsal is: used once, then thrown away."""

    flow: Flow
    plan: Plan
    values: Values
    contact: Contact
    journey: Journey
    now: int
    messages: dict[str, Message] = field(default_factory=dict)
    hops: int = 0
    stimuli: dict[int, Stimulus] = field(default_factory=dict)

    def walk(self) -> None:
        """Go as far as the plan is followed."""
        if not self._follow(start(self.flow, self.journey, self.contact, self.now)):
            return
        while self.hops < len(self.plan) and self.journey.element is not None:
            if not self._go_on(self.plan[self.hops]):
                return

    def _go_on(self, hop: Hop) -> bool:
        """Have what makes the journey leave by a hop happen; whether there was something that did."""
        element = self.flow.nodes[hop.element].element
        if isinstance(element, Send):
            if hop.exit == "sent":
                if element.sends is None or address_of(self.contact, element.sends) is None:
                    return False
                self.messages[hop.element] = Message(self.journey.step, "sent", self.now)
            key = MessageKey(self.journey.id, self.journey.step)
            return self._follow(self._advance(Event(hop.exit, self.now, NOTHING, key), self.contact, self.now))
        for stimulus, event, contact, now in self._choices(hop.element):
            step = self._advance(event, contact, now)
            if step.visits and step.visits[0].exit == hop.exit:
                self.stimuli[self.hops] = stimulus
                self.now = now
                return self._follow(step)
        return False

    def _choices(self, element: str) -> Iterator[tuple[Stimulus, Event | None, Contact, int]]:
        visit = visit_of(self.flow, self.journey, self.contact, self.messages, self.now)
        for each in awaited(self.flow, visit):
            if each.event == CONTACT_CHANGED:
                change = Changing(nested(self.values, THEN, element), tags_in(self.values, THEN, element))
                contact = self.contact._replace(
                    attributes={**self.contact.attributes, **change.attributes},
                    tags=self.contact.tags | change.tags,
                )
                yield change, Event(CONTACT_CHANGED, self.now), contact, self.now
                continue
            of = self._message_of(each)
            said = {"text": ANSWER} if each.event == "replied" else {}
            event = Event(each.event, self.now, {**said, **nested(self.values, AT, element)})
            if each.where is None or visit.holds(each.where, event):
                yield Happening(each.event, of, event.data), event, self.contact, self.now
        yield from self._passing()

    def _passing(self) -> Iterator[tuple[Stimulus, Event | None, Contact, int]]:
        """Time up to the end of the stay, and on where the element stays still: it may look again day by day."""
        journey, due = self.journey, self.journey.due_at
        for _ in range(_MOST_LOOKS):
            if due is None:
                break
            now = max(self.now, due)
            yield Passing(), None, self.contact, now
            self.journey = self._advance(None, self.contact, now).journey
            due = self.journey.due_at if self.journey.element == journey.element else None
        self.journey = journey

    def _message_of(self, each: Await) -> str | None:
        """The element whose message has the event: the one awaited; of any message, the one sent last."""
        if each.step is not None:
            return next((id for id, message in self.messages.items() if message.step == each.step), None)
        if each.event not in MESSAGE_EVENTS or not self.messages:
            return None
        return max(self.messages, key=lambda id: self.messages[id].step)

    def _advance(self, event: Event | None, contact: Contact, now: int) -> Step:
        visit = visit_of(self.flow, self.journey, contact, self.messages, now)
        return advance(self.flow, self.journey, visit, event)

    def _follow(self, step: Step) -> bool:
        """Take a step over; whether it kept to the plan, and no rule took the journey out."""
        self.journey, self.contact = step.journey, step.visit.contact
        for visit in step.visits:
            if self.hops == len(self.plan) or (visit.element, visit.exit) != self.plan[self.hops]:
                return self.hops == len(self.plan)
            self.hops += 1
        return not stops(self.flow, self.contact, self.journey, self.now)


def stops(flow: Flow, contact: Contact, journey: Journey, now: int) -> bool:
    """Whether a condition of `stop_when` takes the journey out."""
    zone = zone_of(contact, flow.settings.time_zone)
    return any(
        rule.when.holds(contact, journey.entry, journey.entry, journey.values, now, zone)
        for rule in flow.stop_when
        if rule.when is not None
    )


def rehearse(flow: Flow, plan: Plan, values: Values, contact: Contact, now: int) -> Rehearsal:
    """Walk a plan with a contact made of `values`. An element that breaks the contract ends it there."""
    asked: set[Name] = set()
    contact = contact._replace(attributes=_Attributes(contact.attributes, asked))
    by = flow.entry.event if isinstance(flow.entry, ByEvent) else "by_hand"
    entry = Event(by, now, nested(values, "entry"))
    journey = Journey(1, flow.id, 1, 1, 1, entry, now, 0)
    where = flow.entry.where if isinstance(flow.entry, ByEvent) else None
    zone = zone_of(contact, flow.settings.time_zone)
    if where is not None and not where.holds(contact, entry, entry, {}, now, zone):
        return Rehearsal(-1, {})
    if stops(flow, contact, journey, now):
        return Rehearsal(-1, {})
    stand = _Stand(flow, plan, values, contact, journey, now)
    with suppress(ElementError):
        stand.walk()
    return Rehearsal(stand.hops, stand.stimuli, frozenset(asked))
