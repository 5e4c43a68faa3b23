"""What a world looks at: what became of contacts, journeys and messages, read from its database."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from tactful.elements.contract import Contact, Event, Instant, MessageKey
from tactful.engine.flowbook import FLOW
from tactful.engine.interpreter import Journey, Visited
from tactful.engine.store import reading, rows
from tactful.engine.store.statements import CONTACT, EVENT, GOAL, JOURNEY, MESSAGE, VISIT
from tactful.engine.testing.coverage import Taken


@dataclass(frozen=True, slots=True)
class MessageStand:
    """A message as it stands. `due_at` is when it is looked at (again), None once that is decided."""

    key: MessageKey
    element: str
    contact: str
    channel: str
    sender: str
    state: str
    due_at: Instant | None
    sent_at: Instant | None
    why: str | None


_MESSAGES = (
    select(
        *(MESSAGE.c[name] for name in ("journey", "step", "element")),
        CONTACT.c.key,
        *(MESSAGE.c[name] for name in ("channel", "sender", "state", "due_at", "sent_at", "why")),
    )
    .join(CONTACT, CONTACT.c.id == MESSAGE.c.contact)
    .order_by(MESSAGE.c.journey, MESSAGE.c.step)
)
_JOURNEYS = select(*reading.JOURNEY_COLUMNS).join(CONTACT, CONTACT.c.id == JOURNEY.c.contact).order_by(JOURNEY.c.id)
_VISITS = select(*(VISIT.c[name] for name in Visited._fields)).order_by(VISIT.c.step)

_TAKEN = (
    select(FLOW.c.id, VISIT.c.element, VISIT.c.exit)
    .join(JOURNEY, JOURNEY.c.id == VISIT.c.journey)
    .join(FLOW, FLOW.c.number == JOURNEY.c.flow)
    .distinct()
)


def messages(tx: Connection) -> list[MessageStand]:
    """All messages, in the order their journeys began and sent them."""
    return [MessageStand(MessageKey(journey, step), *rest) for journey, step, *rest in tx.execute(_MESSAGES)]


def journeys(tx: Connection, flow_names: dict[int, str], contact: str | None) -> list[Journey]:
    """Journeys in the order they began, of all contacts or of one."""
    statement = _JOURNEYS if contact is None else _JOURNEYS.where(CONTACT.c.key == contact)
    return [rows.read_journey(row, flow_names[row.flow]) for row in tx.execute(statement)]


def visits(tx: Connection, journey: int) -> list[Visited]:
    """The elements a journey left, in their order."""
    return [Visited._make(row) for row in tx.execute(_VISITS.where(VISIT.c.journey == journey))]


def taken(tx: Connection) -> frozenset[Taken]:
    """The exits that were taken."""
    return frozenset(Taken(*row) for row in tx.execute(_TAKEN))


def goals(tx: Connection) -> list[tuple[int, str]]:
    """The goals reached: journey and name, in their order."""
    return [(row.journey, row.name) for row in tx.execute(select(GOAL).order_by(GOAL.c.at, GOAL.c.journey))]


def events(tx: Connection, contact: str) -> list[Event]:
    """What happened to a contact and to their messages, in the order learnt."""
    statement = select(*reading.EVENT_COLUMNS).join(CONTACT, CONTACT.c.id == EVENT.c.contact)
    found = tx.execute(statement.where(CONTACT.c.key == contact).order_by(EVENT.c.id))
    return [rows.read_event(row) for row in found]


def contact(tx: Connection, key: str) -> Contact | None:
    """A contact as they stand; None where there is none of this id."""
    return reading.contacts_by_key(tx, [key]).get(key)
