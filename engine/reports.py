"""What people ask of a running project: how its flows stand, who is where and why, what became of messages.

Read-only queries, each in a transaction of the caller's. Times are instants; `as_json` writes them as ISO 8601 in
UTC, and its shapes are stable: scripts rely on them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select, tuple_

from tactful.elements.contract import Contact, Event, Instant, MessageKey
from tactful.elements.options.channel import CHANNELS
from tactful.elements.options.mistake import did_you_mean
from tactful.engine.addresses import destination_of
from tactful.engine.flowbook import FLOW, PAUSED, STOPPED
from tactful.engine.history import past
from tactful.engine.instants import iso
from tactful.engine.interpreter import ACTIVE
from tactful.engine.rules.permission import Block
from tactful.engine.store import reading, rows
from tactful.engine.store.statements import BLOCK, CONTACT, EVENT, GOAL, JOURNEY, MESSAGE, VISIT, WAITING

STATES_OF_MESSAGES = (
    "queued", "held", "sending", "sent", "delivered", "failed", "suppressed", "withdrawn", "expired", "unknown",
)  # fmt: skip
STATES_OF_JOURNEYS = ("active", "done", "stopped", "removed", "failed")


def _utc(at: Instant | None) -> str | None:
    return None if at is None else iso(at)


# --- Flows ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FlowReport:
    """How a published flow stands. `waiting` are the contacts inside, `ended` the journeys that ended by their
    state, `goals` by name; `next_due` is when the next one moves by itself or its schedule brings people in, None while
    it is paused."""

    flow: str
    state: str
    version: int
    waiting: int = 0
    ended: Mapping[str, int] = field(default_factory=dict)
    goals: Mapping[str, int] = field(default_factory=dict)
    next_due: Instant | None = None

    @property
    def finished(self) -> int:
        """Journeys that came to an end, whichever."""
        return sum(self.ended.values())

    def as_json(self) -> dict[str, Any]:
        """flow, state, version, waiting, finished, ended, goals, next_due."""
        return {
            "flow": self.flow, "state": self.state, "version": self.version, "waiting": self.waiting,
            "finished": self.finished, "ended": dict(self.ended), "goals": dict(self.goals),
            "next_due": _utc(self.next_due),
        }  # fmt: skip


def flows(tx: Connection) -> list[FlowReport]:
    """All published flows, by id. Counted in full: a second's work for some millions of journeys."""
    by_state: dict[int, dict[str, int]] = defaultdict(dict)
    due: dict[int, Instant] = {}
    grouped = select(JOURNEY.c.flow, JOURNEY.c.state, func.count(), func.min(JOURNEY.c.due_at))
    for flow, state, number, due_at in tx.execute(grouped.group_by(JOURNEY.c.flow, JOURNEY.c.state)):
        by_state[flow][state] = number
        if due_at is not None:
            due[flow] = min(due_at, due.get(flow, due_at))
    for (flow, state), number in past(tx, "journey").items():
        by_state[flow][state] = by_state[flow].get(state, 0) + number
    goals: dict[int, dict[str, int]] = defaultdict(dict)
    for flow, name, number in tx.execute(
        select(GOAL.c.flow, GOAL.c.name, func.count()).group_by(GOAL.c.flow, GOAL.c.name).order_by(GOAL.c.name)
    ):
        goals[flow][name] = number
    for (flow, name), number in sorted(past(tx, "goal").items()):
        goals[flow][name] = goals[flow].get(name, 0) + number
    reports = []
    for row in tx.execute(select(FLOW).order_by(FLOW.c.id)):
        counts = by_state[row.number]
        entry_at = None if row.state == STOPPED else row.next_entry_at
        dues = [] if row.state == PAUSED else [each for each in (due.get(row.number), entry_at) if each is not None]
        ended = {state: counts[state] for state in STATES_OF_JOURNEYS if state != ACTIVE and state in counts}
        reports.append(
            FlowReport(row.id, row.state, row.version, counts.get(ACTIVE, 0), ended, goals[row.number],
                       min(dues, default=None))
        )  # fmt: skip
    return reports


def is_published(tx: Connection, flow: str) -> bool:
    """Whether there is a published flow of this id, in whichever state."""
    return tx.scalar(select(FLOW.c.number).where(FLOW.c.id == flow)) is not None


def inside(tx: Connection, flow: str) -> int:
    """How many journeys of a flow are under way."""
    number = select(FLOW.c.number).where(FLOW.c.id == flow).scalar_subquery()
    counted = select(func.count()).where(JOURNEY.c.flow == number, JOURNEY.c.state == ACTIVE)
    return int(tx.scalar(counted) or 0)


def entered_by(tx: Connection, flow: str, entry: Event) -> int:
    """How many journeys of a flow one entry by hand began, whoever brought them in."""
    begins = rows.entry_text(Event(entry.name, entry.at)).rpartition(",")[0] + ","  # their place in the log differs
    number = select(FLOW.c.number).where(FLOW.c.id == flow).scalar_subquery()
    counted = select(func.count()).where(JOURNEY.c.flow == number, JOURNEY.c.entry.startswith(begins, autoescape=True))
    return int(tx.scalar(counted) or 0)


def exits_taken(tx: Connection, flow: str) -> dict[str, dict[str, int]]:
    """For each element of a flow that somebody left, how many journeys left it by which exit."""
    taken: dict[str, dict[str, int]] = defaultdict(dict)
    counted = (
        select(VISIT.c.element, VISIT.c.exit, func.count())
        .join(JOURNEY, JOURNEY.c.id == VISIT.c.journey)
        .join(FLOW, FLOW.c.number == JOURNEY.c.flow)
        .where(FLOW.c.id == flow)
        .group_by(VISIT.c.element, VISIT.c.exit)
    )
    for element, exit, number in tx.execute(counted):
        taken[element][exit] = number
    number_of = tx.scalar(select(FLOW.c.number).where(FLOW.c.id == flow))
    for (_, name), number in past(tx, "exit", number_of or 0).items():
        element, _, exit = name.partition(" ")
        taken[element][exit] = taken[element].get(exit, 0) + number
    return dict(taken)


# --- Journeys ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JourneyReport:
    """A journey in a line. `contact` is the contact's own id; `element` None once it ended."""

    id: int
    flow: str
    version: int
    contact: str
    time_zone: str | None
    state: str
    element: str | None
    entered_at: Instant
    arrived_at: Instant
    due_at: Instant | None
    stands_still: bool
    ended_at: Instant | None
    why: str | None

    def as_json(self) -> dict[str, Any]:
        """id, flow, version, contact, state, element, entered_at, arrived_at, due_at, stands_still, ended_at, why."""
        return {
            "id": self.id, "flow": self.flow, "version": self.version, "contact": self.contact, "state": self.state,
            "element": self.element, "entered_at": _utc(self.entered_at), "arrived_at": _utc(self.arrived_at),
            "due_at": _utc(self.due_at), "stands_still": self.stands_still, "ended_at": _utc(self.ended_at),
            "why": self.why,
        }  # fmt: skip


def journeys(
    tx: Connection,
    *,
    flow: str | None = None,
    contact: str | None = None,
    state: str | None = None,
    at: str | None = None,
    limit: int | None = None,
) -> list[JourneyReport]:
    """Journeys, the newest first; `at` is the element they stand at."""
    statement = _journeys()
    wanted = ((FLOW.c.id, flow), (CONTACT.c.key, contact), (JOURNEY.c.state, state), (JOURNEY.c.element, at))
    statement = statement.where(*(column == value for column, value in wanted if value is not None))
    return [_journey(row) for row in tx.execute(statement.order_by(JOURNEY.c.id.desc()).limit(limit))]


def _journeys() -> Select[Any]:
    return (
        select(
            JOURNEY.c.id, FLOW.c.id.label("flow_id"), JOURNEY.c.version, CONTACT.c.key, CONTACT.c.time_zone,
            JOURNEY.c.state, JOURNEY.c.element, JOURNEY.c.entered_at, JOURNEY.c.arrived_at, JOURNEY.c.due_at,
            JOURNEY.c.due_after, JOURNEY.c.stood_still, JOURNEY.c.ended_at, JOURNEY.c.why,
            FLOW.c.state.label("flow_state"),
        )
        .join(FLOW, FLOW.c.number == JOURNEY.c.flow)
        .join(CONTACT, CONTACT.c.id == JOURNEY.c.contact)
    )  # fmt: skip


def _journey(row: Any) -> JourneyReport:
    return JourneyReport(
        row.id, row.flow_id, row.version, row.key, row.time_zone, row.state, row.element, row.entered_at,
        row.arrived_at, row.due_after if row.stood_still else row.due_at,
        row.state == ACTIVE and (row.flow_state == PAUSED or bool(row.stood_still)), row.ended_at, row.why,
    )  # fmt: skip


# --- Messages ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MessageReport:
    """A message and what became of it. `destination` is None until it was taken to be sent; `due_at` is when it is
    tried (again), None once that is decided."""

    key: MessageKey
    flow: str
    contact: str
    element: str
    channel: str
    sender: str
    destination: str | None
    purpose: str
    state: str
    due_at: Instant | None
    taken_at: Instant | None
    sent_at: Instant | None
    tries: int
    why: str | None

    def as_json(self) -> dict[str, Any]:
        """message, flow, contact, element, channel, sender, destination, purpose, state, due_at, taken_at, sent_at,
        tries, why."""
        return {
            "message": str(self.key), "flow": self.flow, "contact": self.contact, "element": self.element,
            "channel": self.channel, "sender": self.sender, "destination": self.destination, "purpose": self.purpose,
            "state": self.state, "due_at": _utc(self.due_at), "taken_at": _utc(self.taken_at),
            "sent_at": _utc(self.sent_at), "tries": self.tries, "why": self.why,
        }  # fmt: skip


def messages(
    tx: Connection,
    *,
    flow: str | None = None,
    contact: str | None = None,
    state: str | None = None,
    journey: int | None = None,
    limit: int | None = None,
) -> list[MessageReport]:
    """Messages, those of the newest journeys first."""
    wanted = ((FLOW.c.id, flow), (CONTACT.c.key, contact), (MESSAGE.c.state, state), (MESSAGE.c.journey, journey))
    where = [column == value for column, value in wanted if value is not None]
    return _messages(tx, where, limit)


def message(tx: Connection, key: MessageKey) -> MessageReport | None:
    """One message; None where there is none of this name."""
    if key.journey >= 2**63 or key.step >= 2**31:  # no database has such numbers
        return None
    found = _messages(tx, [MESSAGE.c.journey == key.journey, MESSAGE.c.step == key.step], 1)
    return found[0] if found else None


def waiting_for(tx: Connection, destination: str, block: Block) -> list[MessageReport]:
    """The messages waiting to go to a destination that an entry of the Do Not Contact list will suppress."""
    theirs = or_(func.lower(CONTACT.c.email) == destination, CONTACT.c.phone == destination)
    channels = list(CHANNELS) if block.channel == "all" else [block.channel]
    where = [theirs, MESSAGE.c.state.in_(WAITING), MESSAGE.c.channel.in_(channels)]
    if block.sender:
        where.append(MESSAGE.c.sender == block.sender)
    if block.covers == "marketing":
        where.append(MESSAGE.c.purpose == "marketing")
    found = _messages(tx, where, None)
    contacts = reading.contacts_by_key(tx, {each.contact for each in found})
    return [each for each in found if destination_of(contacts[each.contact], each.channel) == destination]


def _messages(tx: Connection, where: Iterable[ColumnElement[bool]], limit: int | None) -> list[MessageReport]:
    statement = (
        select(
            MESSAGE.c.journey, MESSAGE.c.step, FLOW.c.id.label("flow_id"), CONTACT.c.key, MESSAGE.c.element,
            MESSAGE.c.channel, MESSAGE.c.sender, MESSAGE.c.destination, MESSAGE.c.purpose, MESSAGE.c.state,
            func.abs(MESSAGE.c.due_at), MESSAGE.c.taken_at, MESSAGE.c.sent_at, MESSAGE.c.tries, MESSAGE.c.why,
        )
        .join(JOURNEY, JOURNEY.c.id == MESSAGE.c.journey)
        .join(FLOW, FLOW.c.number == JOURNEY.c.flow)
        .join(CONTACT, CONTACT.c.id == MESSAGE.c.contact)
        .where(*where)
        .order_by(MESSAGE.c.journey.desc(), MESSAGE.c.step)
        .limit(limit)
    )  # fmt: skip
    found: list[Any] = list(tx.execute(statement))
    return [MessageReport(MessageKey(row[0], row[1]), *row[2:]) for row in found]


def message_counts(tx: Connection) -> dict[str, int]:
    """How many messages there are in each state; states without any are left out."""
    grouped = select(MESSAGE.c.state, func.count()).group_by(MESSAGE.c.state)
    counted = {state: int(number) for state, number in tx.execute(grouped)}
    for (_, state), number in past(tx, "message").items():
        counted[state] = counted.get(state, 0) + number
    return {state: counted[state] for state in STATES_OF_MESSAGES if state in counted}


# --- One journey's trace -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TraceStep:
    """A visit of an element. `exit` and `left_at` are None where the journey stands now; `event` is what ended the
    wait there, `why` what else is to be said of leaving."""

    step: int
    element: str
    exit: str | None
    arrived_at: Instant
    left_at: Instant | None
    event: Event | None
    why: str | None
    message: MessageReport | None

    def as_json(self) -> dict[str, Any]:
        """step, element, exit, arrived_at, left_at, event (name, at, data) or null, why, message or null."""
        event = self.event and {"name": self.event.name, "at": _utc(self.event.at), "data": dict(self.event.data)}
        return {
            "step": self.step, "element": self.element, "exit": self.exit, "arrived_at": _utc(self.arrived_at),
            "left_at": _utc(self.left_at), "event": event, "why": self.why,
            "message": self.message and self.message.as_json(),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trace:
    """All there is to know of one journey: where it came by, what it sent, and where it stands."""

    journey: JourneyReport
    contact: Contact
    entry: Event
    values: Mapping[str, Any]
    goals: Mapping[str, Instant]
    steps: tuple[TraceStep, ...]

    def as_json(self) -> dict[str, Any]:
        """A journey as in `JourneyReport`, and: time_zone (the contact's own or null), entry (name, at, data), values,
        goals (name to time), steps."""
        return {
            **self.journey.as_json(),
            "time_zone": self.contact.time_zone,
            "entry": {"name": self.entry.name, "at": _utc(self.entry.at), "data": dict(self.entry.data)},
            "values": dict(self.values),
            "goals": {name: _utc(at) for name, at in self.goals.items()},
            "steps": [step.as_json() for step in self.steps],
        }


def trace(tx: Connection, id: int) -> Trace | None:
    """The trace of a journey; None where there is none of this number."""
    row = tx.execute(_journeys().where(JOURNEY.c.id == id)).first()
    if row is None:
        return None
    journey = _journey(row)
    contact = reading.contacts_by_key(tx, [journey.contact])[journey.contact]
    kept = select(JOURNEY.c.entry, JOURNEY.c.journey_values, JOURNEY.c.step).where(JOURNEY.c.id == id)
    stored = tx.execute(kept).one()
    by_step = {each.key.step: each for each in messages(tx, journey=id)}
    visits = list(tx.execute(select(VISIT).where(VISIT.c.journey == id).order_by(VISIT.c.step)))
    events = _events(tx, [visit.event for visit in visits if visit.event is not None])
    steps = [
        TraceStep(visit.step, visit.element, visit.exit, visit.arrived_at, visit.left_at, events.get(visit.event),
                  visit.why, by_step.get(visit.step))
        for visit in visits
    ]  # fmt: skip
    if journey.element is not None:
        now_at = by_step.get(stored.step)
        steps.append(TraceStep(stored.step, journey.element, None, journey.arrived_at, None, None, None, now_at))
    reached = tx.execute(select(GOAL.c.name, GOAL.c.at).where(GOAL.c.journey == id).order_by(GOAL.c.at))
    goals = {row.name: row.at for row in reached}
    values = json.loads(stored.journey_values) if stored.journey_values else {}
    return Trace(journey, contact, rows.read_entry(stored.entry), values, goals, tuple(steps))


def _events(tx: Connection, ids: Sequence[int]) -> dict[int, Event]:
    found = tx.execute(select(*reading.EVENT_COLUMNS).where(EVENT.c.id.in_(ids)))
    return {row[0]: rows.read_event(row) for row in found}


# --- The Do Not Contact list ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of the Do Not Contact list with its reason."""

    block: Block
    reason: str | None

    def as_json(self) -> dict[str, Any]:
        """destination, channel, sender (null: any), covers, source, reason, since."""
        block = self.block
        return {
            "destination": block.destination, "channel": block.channel, "sender": block.sender or None,
            "covers": block.covers, "source": block.source, "reason": self.reason, "since": _utc(block.since),
        }  # fmt: skip


def do_not_contact(
    tx: Connection,
    *,
    destination: str | None = None,
    channel: str | None = None,
    sender: str | None = None,
    source: str | None = None,
    after: Sequence[str] | None = None,
    limit: int | None = None,
    by_time: bool = False,
) -> list[Listed]:
    """The Do Not Contact list: by destination, or with `by_time` in the order they came on it. `after` is the entry
    (destination, channel, sender, covers) behind which a page by destination begins."""
    names = ("destination", "channel", "sender", "covers", "source", "since", "reason")
    key = [BLOCK.c[name] for name in names[:4]]
    statement = (
        select(*(BLOCK.c[name] for name in names)).order_by(*([BLOCK.c.since] if by_time else []), *key).limit(limit)
    )
    wanted = {"destination": destination, "channel": channel, "sender": sender, "source": source}
    statement = statement.where(*(BLOCK.c[name] == value for name, value in wanted.items() if value is not None))
    if after is not None:
        statement = statement.where(tuple_(*key) > tuple_(*after))
    return [Listed(Block(*row[:6]), row[6]) for row in tx.execute(statement)]


def blocked(tx: Connection) -> int:
    """How many destinations are on the Do Not Contact list."""
    return int(tx.scalar(select(func.count(BLOCK.c.destination.distinct()))) or 0)


# --- Contacts ------------------------------------------------------------------------------------


def likely_contacts(tx: Connection, key: str) -> list[str]:
    """Ids of contacts that a mistyped one may have meant: who has it as address, or one much like it."""
    statement = select(CONTACT.c.key).where(or_(CONTACT.c.email == key, CONTACT.c.phone == key)).limit(2)
    by_address = list(tx.scalars(statement))
    if by_address:
        return by_address
    alike = CONTACT.c.key.istartswith(key[:2], autoescape=True) if len(key) > 2 else CONTACT.c.key.is_not(None)
    near = did_you_mean(key, tx.scalars(select(CONTACT.c.key).where(alike).order_by(CONTACT.c.key).limit(1000)))
    return [near] if near else []
