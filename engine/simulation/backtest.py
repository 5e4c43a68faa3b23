"""What a version of a flow would have sent to the people who were there: their recorded lives, lived once more.

Only reads. What cannot be known is taken as follows, and `ASSUMED` says so to whoever reads the outcome.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select, union

from tactful.elements.contract import NOTHING, Contact, Covers, Instant, MessageKey
from tactful.elements.options.channel import CHANNELS
from tactful.engine.addresses import destination_of
from tactful.engine.flowbook import FLOW
from tactful.engine.project import Project
from tactful.engine.rules.permission import LONGEST_LIMIT_DAYS
from tactful.engine.simulation.life import Life
from tactful.engine.simulation.machine import Machine
from tactful.engine.simulation.outcome import Tally
from tactful.engine.simulation.passage import DO, ENTER, Passage, Waiting
from tactful.engine.simulation.spot import DAY
from tactful.engine.store import reading
from tactful.engine.store.statements import BLOCK_ACT, CONSENT, EVENT, JOURNEY, MESSAGE, one_of
from tactful.flows.model import ByEvent, Flow

PAGE = 500
"""Contacts that are read at a time."""

ASSUMED = (
    "contacts are taken as they are known now, also where an attribute was another one then",
    "what is done with a message of the same element is taken as recorded, as long after the sending as it was",
    "of a message that never was, nothing is known: nobody opens or answers it",
    "own events and opt-outs by hand, link or keyword happen when they did",
    "messages of other flows count for limits as they were sent; journeys begun before are left out",
    "a consent counts from when it was given",
)
"""What a backtest takes for granted, in words."""

Entry = tuple[str, str, str, Covers]
"""An entry of the Do Not Contact list: destination, channel, sender (empty for any), what it covers."""

_SENT = ("sent", "delivered")
_HANDED_OVER = (*_SENT, "failed", "unknown")


@dataclass(frozen=True, slots=True)
class Difference:
    """A contact who would have got something else: how many messages more, and how many not, by element."""

    contact: str
    more: Mapping[str, int]
    less: Mapping[str, int]


@dataclass(slots=True)
class Backtest:
    """What came of it. `sent` and `would_send` count messages by element, `blocked` and `would_block` entries of the Do
    Not Contact list that the flow's elements made; `unknown` counts messages nobody can say anything about."""

    flow: str
    since: Instant
    until: Instant
    contacts: int = 0
    sent: Counter[str] = field(default_factory=Counter)
    would_send: Counter[str] = field(default_factory=Counter)
    more: Counter[str] = field(default_factory=Counter)
    less: Counter[str] = field(default_factory=Counter)
    blocked: Counter[str] = field(default_factory=Counter)
    would_block: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    differences: list[Difference] = field(default_factory=list)


def first_recorded(tx: Connection, flow: Flow) -> Instant | None:
    """When the first contact came into the flow; None where nobody did."""
    first: Instant | None = tx.scalar(select(func.min(JOURNEY.c.entered_at)).where(JOURNEY.c.flow == _number(tx, flow)))
    return first


def those_concerned(tx: Connection, flow: Flow, since: Instant) -> list[int]:
    """The numbers of the contacts who came into the flow since, or had the event that brings them in."""
    number = _number(tx, flow)
    found = [select(JOURNEY.c.contact).where(JOURNEY.c.flow == number, JOURNEY.c.entered_at >= since)]
    if isinstance(flow.entry, ByEvent):
        began = EVENT.c.name == flow.entry.event, EVENT.c.message_journey.is_(None), EVENT.c.at >= since
        found.append(select(EVENT.c.contact).where(*began))
    return sorted(tx.scalars(union(*found)))


def backtest(
    tx: Connection,
    flow: Flow,
    project: Project,
    since: Instant,
    until: Instant,
    contacts: Sequence[int],
    done: Callable[[int], None] = lambda done: None,
) -> Backtest:
    """Let these contacts live their recorded lives once more, with this version of the flow. `done` is told how many
    have."""
    machine = Machine(flow, since, until, project.policy, project.transactional, project.opt_out.links, enters=False)
    outcome = Backtest(flow.id, since, until)
    number = _number(tx, flow)
    for first in range(0, len(contacts), PAGE):
        page = contacts[first : first + PAGE]
        for record in _records(tx, flow, number, page, since, until):
            _live_again(machine, record, outcome)
        done(first + len(page))
    outcome.differences.sort(key=lambda each: each.contact)
    return outcome


def _number(tx: Connection, flow: Flow) -> int:
    return int(tx.scalar(select(FLOW.c.number).where(FLOW.c.id == flow.id)) or 0)


# --- What is recorded ----------------------------------------------------------------------------


@dataclass(slots=True)
class _Message:
    """A message that was handed over, and what was done with it: events by number, each so long after."""

    element: str
    sent: bool
    events: list[tuple[int, str, int, Mapping[str, Any]]] = field(default_factory=list)


@dataclass(slots=True)
class _Record:
    """All that is recorded of one contact and bears on the flow."""

    contact: Contact
    entries: int = 0
    last_entry: Instant = 0
    began: list[tuple[Instant, Mapping[str, Any]]] = field(default_factory=list)
    messages: dict[MessageKey, _Message] = field(default_factory=dict)
    events: list[tuple[int, Instant, str, Mapping[str, Any]]] = field(default_factory=list)
    elsewhere: list[Instant] = field(default_factory=list)
    acts: list[tuple[Instant, str, Entry, str]] = field(default_factory=list)
    consents: list[tuple[Instant, str]] = field(default_factory=list)
    blocked: Counter[str] = field(default_factory=Counter)


def _records(
    tx: Connection, flow: Flow, number: int, page: Sequence[int], since: Instant, until: Instant
) -> Iterator[_Record]:
    records = {contact.number: _Record(contact) for contact in reading.contacts(tx, page).values()}
    _read_journeys(tx, number, records, since)
    _read_messages(tx, number, records, since)
    entry = flow.entry.event if isinstance(flow.entry, ByEvent) else None
    _read_events(tx, records, since, until, entry)
    whose = _destinations(records)
    _read_acts(tx, flow, whose, since)
    _read_consents(tx, whose)
    yield from records.values()


def _read_journeys(tx: Connection, number: int, records: Mapping[int, _Record], since: Instant) -> None:
    rows: Iterable[Any] = tx.execute(
        select(JOURNEY.c.contact, JOURNEY.c.entered_at, JOURNEY.c.entry)
        .where(one_of(JOURNEY.c.contact, records), JOURNEY.c.flow == number)
        .order_by(JOURNEY.c.id)
    )
    for contact, entered_at, entry in rows:
        record = records[contact]
        if entered_at < since:
            record.entries += 1
            record.last_entry = entered_at
        else:
            carried = json.loads(entry)[3:]
            record.began.append((entered_at, carried[0] if carried else NOTHING))


def _read_messages(tx: Connection, number: int, records: Mapping[int, _Record], since: Instant) -> None:
    columns = (MESSAGE.c[name] for name in ("contact", "journey", "step", "element", "state", "purpose", "taken_at"))
    rows: Iterable[Any] = tx.execute(
        select(*columns, JOURNEY.c.flow, JOURNEY.c.entered_at)
        .join(JOURNEY, JOURNEY.c.id == MESSAGE.c.journey)
        .where(one_of(JOURNEY.c.contact, records), MESSAGE.c.state.in_(_HANDED_OVER), MESSAGE.c.taken_at.is_not(None),
               MESSAGE.c.taken_at >= since - LONGEST_LIMIT_DAYS * DAY)
        .order_by(MESSAGE.c.taken_at, MESSAGE.c.journey, MESSAGE.c.step)
    )  # fmt: skip
    for contact, journey, step, element, state, purpose, taken_at, of_flow, entered_at in rows:
        record = records[contact]
        if of_flow == number and entered_at >= since:
            record.messages[MessageKey(journey, step)] = _Message(element, state in _SENT)
        elif purpose == "marketing" and state != "failed":
            record.elsewhere.append(taken_at)


def _read_events(
    tx: Connection, records: Mapping[int, _Record], since: Instant, until: Instant, entry: str | None
) -> None:
    columns = (EVENT.c[name] for name in ("id", "contact", "name", "at", "data", "message_journey", "message_step"))
    rows: Iterable[Any] = tx.execute(
        select(*columns, MESSAGE.c.sent_at)
        .outerjoin(MESSAGE, (MESSAGE.c.journey == EVENT.c.message_journey) & (MESSAGE.c.step == EVENT.c.message_step))
        .where(one_of(EVENT.c.contact, records), EVENT.c.at >= since, EVENT.c.at <= until)
        .order_by(EVENT.c.id)
    )
    for id, contact, name, at, data, journey, step, sent_at in rows:
        carried = json.loads(data) if data else NOTHING
        if journey is None:
            records[contact].events.append((id, at, name, carried))
        elif (message := records[contact].messages.get(MessageKey(journey, step))) and sent_at is not None:
            message.events.append((id, name, at - sent_at, carried))


def _destinations(records: Mapping[int, _Record]) -> Mapping[str, Sequence[_Record]]:
    whose: dict[str, list[_Record]] = defaultdict(list)
    for record in records.values():
        for to in {destination_of(record.contact, channel) for channel in CHANNELS} - {None}:
            assert to is not None
            whose[to].append(record)
    return whose


def _read_consents(tx: Connection, whose: Mapping[str, Sequence[_Record]]) -> None:
    columns = CONSENT.c.destination, CONSENT.c.channel, CONSENT.c.at
    rows: Iterable[Any] = tx.execute(select(*columns).where(one_of(CONSENT.c.destination, whose)))
    for destination, channel, at in rows:
        for record in whose[destination]:
            record.consents.append((at, channel))


def _read_acts(tx: Connection, flow: Flow, whose: Mapping[str, Sequence[_Record]], since: Instant) -> None:
    """Who was put on the Do Not Contact list and taken off it: all acts but this flow's, which are to be seen."""
    mine = f"flow {flow.id}, element "
    names = ("destination", "channel", "sender", "covers", "act", "source", "at", "evidence")
    rows: Iterable[Any] = tx.execute(
        select(*(BLOCK_ACT.c[name] for name in names))
        .where(one_of(BLOCK_ACT.c.destination, whose))
        .order_by(BLOCK_ACT.c.id)
    )
    for destination, channel, sender, covers, act, source, at, evidence in rows:
        for record in whose[destination]:
            if source.startswith(mine) and at >= since:
                if act == "block" and json.loads(evidence or "{}").get("contact") == record.contact.key:
                    record.blocked[source.removeprefix(mine)] += 1
            else:
                record.acts.append((at, act, (destination, channel, sender, covers), source))


# --- Once more -----------------------------------------------------------------------------------


class _AsRecorded:
    """The conduct of one contact: what they did then, with the message of the same element, one after the other."""

    def __init__(self, record: _Record) -> None:
        self.unknown = 0
        self._left: dict[str, list[_Message]] = defaultdict(list)
        for message in record.messages.values():
            self._left[message.element].append(message)

    def answers(self, life: Life, message: Waiting) -> bool:
        recorded = self._left[message.spot.id]
        if not recorded:
            self.unknown += 1
            return True
        then = recorded.pop(0)
        key = MessageKey(message.journey.number, message.step)
        for order, name, after, data in then.events:
            life.plan(life.now + max(1, after), (name, data, key), order)
        return then.sent or bool(then.events)


class _Counting:
    """The trace of one contact: the messages they would have got."""

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()

    def left(self, life: Life, journey: Passage, element: str, exit: str) -> None:
        """Nothing to count."""

    def became(self, life: Life, journey: Passage, element: str, step: int, state: str) -> None:
        self.sent[element] += state == "sent"


def _live_again(machine: Machine, record: _Record, outcome: Backtest) -> None:
    conduct, counting, tally = _AsRecorded(record), _Counting(), Tally(machine)
    life = Life(machine, conduct, tally, record.contact, machine.until, counting)
    if record.entries:
        life.entries, life.last_entry = record.entries, record.last_entry
    for at, act, entry, source in record.acts:
        if at < machine.begins:
            _act(life, (act, entry, source))
        else:
            life.plan(at, (DO, _act, (act, entry, source)), 0)
    for at, channel in record.consents:
        if at < machine.begins:
            life.mail.agree(channel)
        else:
            life.plan(at, (DO, _agrees, channel), 0)
    for at in record.elsewhere:
        if at < machine.begins:
            life.mail.had_marketing(at)
        else:
            life.plan(at, (DO, _had, at), 0)
    for order, at, name, data in record.events:
        life.plan(max(at, machine.begins + 1), (name, data, None), order)
    if not isinstance(machine.flow.entry, ByEvent):
        for at, data in record.began:
            life.plan(at, (ENTER, data, None), 0)
    life.live(machine.begins)
    sent = Counter(message.element for message in record.messages.values() if message.sent)
    more, less = counting.sent - sent, sent - counting.sent
    outcome.contacts += 1
    outcome.sent += sent
    outcome.would_send += counting.sent
    outcome.more += more
    outcome.less += less
    outcome.blocked += record.blocked
    outcome.would_block += Counter({id: n for id, n in tally.blocked_by.items() if id in machine.spots})
    outcome.unknown += conduct.unknown
    if more or less:
        outcome.differences.append(Difference(record.contact.key, dict(more), dict(less)))


def _act(life: Life, about: tuple[str, Entry, str]) -> None:
    act, entry, source = about
    if act == "block":
        life.block(*entry, f"({source})")
    else:
        life.mail.unblock(*entry)
    life.mail.hurry()


def _agrees(life: Life, channel: str) -> None:
    life.mail.agree(channel)


def _had(life: Life, at: Instant) -> None:
    life.mail.had_marketing(at)
