"""What people did so far, as rates: learnt from the messages, events and contacts of a database. Only reads."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from sqlalchemy import Connection, func, select

from tactful.elements.options.channel import CHANNELS, MESSAGE_EVENTS
from tactful.elements.options.duration import Duration
from tactful.engine.addresses import destination_of
from tactful.engine.consent import agreed
from tactful.engine.contacts_file import ContactFields
from tactful.engine.flowbook import FLOW
from tactful.engine.simulation.behaviour import Answers, Coming, Doing, Drawn, OwnDoing, Rates, Replying
from tactful.engine.simulation.crowd import Person
from tactful.engine.simulation.machine import Machine
from tactful.engine.simulation.spot import DAY
from tactful.engine.store import reading
from tactful.engine.store.statements import CONTACT, EVENT, JOURNEY, MESSAGE
from tactful.flows.model import ByEvent, Flow

SAMPLE = 5_000
"""Contacts, entries and moments that are looked at one by one."""

FEWEST = 30
"""Messages an element must have sent for rates of its own; with fewer, those of its channel say more."""

TEXTS = 30
"""Different answers that are kept, the most frequent ones."""

SOON = 30 * DAY
"""An event of a contact's own counts as following from their coming in for so long."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """The rates, and a sample of the contacts under other names: their attributes, tags, zones and consents belong
    together."""

    rates: Rates
    people: Sequence[Person]
    messages: int


def learn(tx: Connection, flows: Sequence[Flow]) -> Learnt:
    """Learn from all messages for each channel, and from those of these flows for each of their elements and events."""
    channels: dict[str, _Seen] = defaultdict(_Seen)
    elements: dict[str, _Seen] = defaultdict(_Seen)
    _count_messages(tx, channels, elements, [flow.id for flow in flows])
    entry, events = _own(tx, flows)
    rates = Rates(
        entry=entry,
        events=events,
        channels={channel: seen.answers() for channel, seen in channels.items()},
        elements={id: seen.answers() for id, seen in elements.items() if seen.sent >= FEWEST},
    )
    return Learnt(rates, _people(tx), sum(seen.sent for seen in channels.values()))


@dataclass(slots=True)
class _Seen:
    """What was seen of the messages of a channel or an element."""

    sent: int = 0
    failed: int = 0
    happened: Counter[str] = field(default_factory=Counter)
    delays: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    texts: Counter[str] = field(default_factory=Counter)

    def note(self, event: str, delay: int, text: object) -> None:
        self.happened[event] += 1
        if len(self.delays[event]) < SAMPLE:
            self.delays[event].append(delay)
        if event == "replied" and isinstance(text, str) and text.strip():
            self.texts[text.strip()[:200]] += 1

    def answers(self) -> Answers:
        tried = self.sent + self.failed
        bounced = self.happened["bounced"]
        arrived = max(1, self.sent - bounced)
        found: dict[str, Any] = {"fails": self.failed / tried if tried else 0.0}
        if bounced:
            found["bounces"] = Doing(share=bounced / self.sent, after=self._after("bounced"))
        for name, event in (("opens", "opened"), ("clicks", "clicked"), ("opts_out", "opted_out"),
                            ("complains", "complained")):  # fmt: skip
            if self.happened[event]:
                since = "opened" if event == "clicked" else None
                share = min(1.0, self.happened[event] / arrived)
                found[name] = Doing(share=share, after=self._after(event, since))
        if self.happened["delivered"]:
            # Where receipts come at all, those without one may still have arrived: who opened, has.
            share = max(self.happened["delivered"], *(self.happened[each] for each in MESSAGE_EVENTS - {"bounced"}))
            found["delivered"] = Doing(share=min(1.0, share / arrived), after=self._after("delivered"))
            if share < arrived:  # the other shares are of those that arrive
                for name in ("opens", "clicks", "opts_out", "complains"):
                    if name in found:
                        found[name] = Doing(
                            share=min(1.0, found[name].share * arrived / share), after=found[name].after
                        )
        if self.happened["replied"]:
            texts = dict(self.texts.most_common(TEXTS)) or {"…": 1}
            share = min(1.0, self.happened["replied"] / arrived)
            found["replies"] = Replying(share=share, after=self._after("replied"), texts=texts)
        return Answers(**found)

    def _after(self, event: str, since: str | None = None) -> Duration:
        ms = median(self.delays[event] or [1_000])
        if since is not None and self.delays[since]:
            ms -= median(self.delays[since])
        return _span(ms)


def _span(ms: float) -> Duration:
    return Duration.parse(f"{max(1, round(ms / 1_000))} seconds")


def _count_messages(
    tx: Connection, channels: Mapping[str, _Seen], elements: Mapping[str, _Seen], flows: Sequence[str]
) -> None:
    def seen(channel: str, element: str, flow: str) -> list[_Seen]:
        return [channels[channel], *([elements[element]] if flow in flows else [])]

    counted = tx.execute(
        select(MESSAGE.c.channel, MESSAGE.c.element, FLOW.c.id, func.count(MESSAGE.c.sent_at),
               func.count(MESSAGE.c.taken_at).filter(MESSAGE.c.state == "failed"))
        .join(JOURNEY, JOURNEY.c.id == MESSAGE.c.journey)
        .join(FLOW, FLOW.c.number == JOURNEY.c.flow)
        .group_by(MESSAGE.c.channel, MESSAGE.c.element, FLOW.c.id)
    )  # fmt: skip
    for channel, element, flow, sent, failed in counted:
        for each in seen(channel, element, flow):
            each.sent += sent
            each.failed += failed
    happened = tx.execute(
        select(MESSAGE.c.channel, MESSAGE.c.element, FLOW.c.id, EVENT.c.name, func.min(EVENT.c.at) - MESSAGE.c.sent_at,
               func.min(EVENT.c.data))
        .select_from(EVENT)
        .join(MESSAGE, (MESSAGE.c.journey == EVENT.c.message_journey) & (MESSAGE.c.step == EVENT.c.message_step))
        .join(JOURNEY, JOURNEY.c.id == MESSAGE.c.journey)
        .join(FLOW, FLOW.c.number == JOURNEY.c.flow)
        .where(EVENT.c.name.in_(sorted(MESSAGE_EVENTS)), MESSAGE.c.sent_at.is_not(None))
        .group_by(MESSAGE.c.journey, MESSAGE.c.step, EVENT.c.name, MESSAGE.c.channel, MESSAGE.c.element,
                  MESSAGE.c.sent_at, FLOW.c.id)
        .order_by(MESSAGE.c.journey, MESSAGE.c.step)
    )  # fmt: skip
    for channel, element, flow, event, delay, data in happened:
        text = json.loads(data).get("text") if data and event == "replied" else None
        for each in seen(channel, element, flow):
            each.note(event, max(0, delay), text)


def _own(tx: Connection, flows: Sequence[Flow]) -> tuple[Coming, dict[str, OwnDoing]]:
    """What entries carried, and which events of their own contacts had soon after they came in."""
    carried: dict[str, list[Any]] = defaultdict(list)
    events: dict[str, OwnDoing] = {}
    for flow in flows:
        number = tx.scalar(select(FLOW.c.number).where(FLOW.c.id == flow.id))
        if number is None:
            continue
        newest = select(JOURNEY.c.entry).where(JOURNEY.c.flow == number).order_by(JOURNEY.c.id.desc()).limit(SAMPLE)
        _gather(carried, [json.loads(entry)[3:] for entry in tx.scalars(newest)])
        entries = tx.scalar(select(func.count()).select_from(JOURNEY).where(JOURNEY.c.flow == number)) or 0
        entry = flow.entry.event if isinstance(flow.entry, ByEvent) else None
        for name in sorted((Machine(flow, 0, 0).listens or frozenset()) - MESSAGE_EVENTS):
            if name == entry or not entries:
                continue
            following = tx.execute(
                select(func.min(EVENT.c.at) - JOURNEY.c.entered_at, func.min(EVENT.c.data))
                .select_from(JOURNEY)
                .join(EVENT, EVENT.c.contact == JOURNEY.c.contact)
                .where(JOURNEY.c.flow == number, EVENT.c.name == name, EVENT.c.message_journey.is_(None),
                       EVENT.c.at >= JOURNEY.c.entered_at, EVENT.c.at <= JOURNEY.c.entered_at + SOON)
                .group_by(JOURNEY.c.id, JOURNEY.c.entered_at)
                .order_by(JOURNEY.c.id)
            ).all()  # fmt: skip
            data: dict[str, list[Any]] = defaultdict(list)
            _gather(data, [[json.loads(row[1])] for row in following[:SAMPLE] if row[1]])
            after = _span(median([row[0] for row in following])) if following else None
            events[name] = OwnDoing(share=min(1.0, len(following) / entries), after=after, data=_drawn(data))
    return Coming(data=_drawn(carried)), events


def _gather(into: dict[str, list[Any]], found: Sequence[Sequence[Mapping[str, Any]]]) -> None:
    for data in found:
        for name, value in (data[0] if data else {}).items():
            into[name].append(value)


def _drawn(values: Mapping[str, list[Any]]) -> dict[str, Drawn]:
    return {name: Drawn(found) for name, found in values.items()}


def _people(tx: Connection) -> list[Person]:
    """A sample of the contacts, spread over all of them. Names and addresses are others: nobody needs them."""
    newest = int(tx.scalar(select(func.max(CONTACT.c.id))) or 0)
    every = max(1, newest // SAMPLE)
    sampled = select(CONTACT.c.id).where(CONTACT.c.id % every == 0).order_by(CONTACT.c.id).limit(2 * SAMPLE)
    contacts = sorted(reading.contacts(tx, list(tx.scalars(sampled))).values(), key=lambda each: each.number)
    places = {each.number: {channel: destination_of(each, channel) for channel in CHANNELS} for each in contacts}
    consents = agreed(tx, {to for place in places.values() for to in place.values() if to is not None})
    return [
        Person(
            ContactFields(
                f"contact-{each.number}",
                None if each.email is None else f"contact-{each.number}@example.com",
                None if each.phone is None else f"+999{each.number % 10**9:09}",
                each.time_zone,
                dict(each.attributes),
                each.tags,
            ),
            frozenset(channel for channel, to in places[each.number].items() if (to, channel) in consents),
        )
        for each in contacts
    ]
