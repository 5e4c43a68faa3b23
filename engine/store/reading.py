"""What a turn needs to know, read for a whole batch of contacts at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, func, or_, select

from tactful.elements.contract import Contact, Event, Message, MessageKey
from tactful.engine.interpreter import ACTIVE
from tactful.engine.rules.entry import Entries
from tactful.engine.store.rows import read_contact, read_event
from tactful.engine.store.statements import CONTACT, EVENT, JOURNEY, MEMBERSHIP, MESSAGE

CONTACT_COLUMNS = [CONTACT.c[n] for n in ("id", "key", "email", "phone", "time_zone", "attributes", "tags")]
JOURNEY_COLUMNS = [JOURNEY.c[n] for n in (
    "id", "contact", "flow", "version", "entry_number", "state", "element", "step", "entered_at", "arrived_at",
    "due_at", "since", "entry", "journey_values", "ended_at", "why",
)]  # fmt: skip
EVENT_COLUMNS = [EVENT.c[n] for n in ("id", "contact", "name", "at", "data", "message_journey", "message_step")]

_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_FLOWS: BindParameter[Any] = bindparam("flows", expanding=True)

_contacts = select(*CONTACT_COLUMNS).where(CONTACT.c.id.in_(_IDS))
_contacts_by_key = select(*CONTACT_COLUMNS).where(CONTACT.c.key.in_(_IDS))
_active = select(*JOURNEY_COLUMNS).where(JOURNEY.c.contact.in_(_IDS), JOURNEY.c.state == ACTIVE)
_messages = select(
    MESSAGE.c.journey, MESSAGE.c.step, MESSAGE.c.element, MESSAGE.c.state, MESSAGE.c.sent_at
).where(MESSAGE.c.journey.in_(_IDS)).order_by(MESSAGE.c.journey, MESSAGE.c.step)  # fmt: skip
_sent_by_active = (
    select(JOURNEY.c.contact, MESSAGE.c.sender, MESSAGE.c.journey, MESSAGE.c.step)
    .join(MESSAGE, MESSAGE.c.journey == JOURNEY.c.id)
    .where(JOURNEY.c.contact.in_(_IDS), JOURNEY.c.state == ACTIVE, MESSAGE.c.sent_at.is_not(None))
    .order_by(MESSAGE.c.sent_at.desc(), MESSAGE.c.journey.desc(), MESSAGE.c.step.desc())
)
_entries = (
    select(JOURNEY.c.contact, JOURNEY.c.flow, func.max(JOURNEY.c.entry_number), func.max(JOURNEY.c.entered_at))
    .where(JOURNEY.c.contact.in_(_IDS), JOURNEY.c.flow.in_(_FLOWS))
    .group_by(JOURNEY.c.contact, JOURNEY.c.flow)
)
_members = select(MEMBERSHIP.c.contact, MEMBERSHIP.c.flow).where(MEMBERSHIP.c.contact.in_(_IDS))
_log = (
    select(*EVENT_COLUMNS)
    .where(
        EVENT.c.contact.in_(_IDS),
        EVENT.c.id > bindparam("began"),
        EVENT.c.used == 0,
        or_(EVENT.c.message_journey.is_not(None), EVENT.c.id > bindparam("behind")),
    )
    .order_by(EVENT.c.id)
)
_due = (
    select(JOURNEY.c.contact)
    .where(JOURNEY.c.due_at <= bindparam("now"))
    .order_by(JOURNEY.c.due_at)
    .limit(bindparam("most"))
)


def contacts(tx: Connection, numbers: Iterable[int]) -> dict[int, Contact]:
    """Contacts by number; those that do not exist are left out."""
    return {row[0]: read_contact(row) for row in tx.execute(_contacts, {"ids": list(numbers)})}


def contacts_by_key(tx: Connection, keys: Iterable[str]) -> dict[str, Contact]:
    """Contacts by their own id; those that do not exist are left out."""
    found = (read_contact(row) for row in tx.execute(_contacts_by_key, {"ids": list(keys)}))
    return {contact.key: contact for contact in found}


def active_journeys(tx: Connection, numbers: Sequence[int]) -> list[Any]:
    """Rows of the contacts' active journeys, with `JOURNEY_COLUMNS`."""
    return list(tx.execute(_active, {"ids": numbers}))


def messages(tx: Connection, journeys: Sequence[int]) -> dict[int, dict[str, Message]]:
    """For each journey, the newest message of each element."""
    found: dict[int, dict[str, Message]] = defaultdict(dict)
    for journey, step, element, state, sent_at in tx.execute(_messages, {"ids": journeys}):
        found[journey][element] = Message(step, state, sent_at)
    return found


def sent_by_active(tx: Connection, numbers: Sequence[int]) -> dict[int, list[tuple[str, MessageKey]]]:
    """For each contact the messages their active journeys sent, with their senders, the newest first."""
    found: dict[int, list[tuple[str, MessageKey]]] = defaultdict(list)
    for contact, sender, journey, step in tx.execute(_sent_by_active, {"ids": numbers}):
        found[contact].append((sender, MessageKey(journey, step)))
    return found


def entries(tx: Connection, numbers: Sequence[int], flows: Sequence[int]) -> dict[int, dict[int, Entries]]:
    """Contact number -> flow number -> entries so far."""
    found: dict[int, dict[int, Entries]] = defaultdict(dict)
    if flows:
        for contact, flow, count, last_at in tx.execute(_entries, {"ids": numbers, "flows": flows}):
            found[contact][flow] = Entries(count, last_at)
    return found


def members(tx: Connection, numbers: Sequence[int]) -> dict[int, set[int]]:
    """Contact number -> numbers of the segment flows whose condition held when last looked."""
    found: dict[int, set[int]] = defaultdict(set)
    for contact, flow in tx.execute(_members, {"ids": numbers}):
        found[contact].add(flow)
    return found


def log(tx: Connection, numbers: Sequence[int], began: int, behind: int) -> dict[int, list[Event]]:
    """For each contact the events that may still end a wait, in the order learnt: of messages after `began`,
    their own after `behind`."""
    found: dict[int, list[Event]] = defaultdict(list)
    for row in tx.execute(_log, {"ids": numbers, "began": began, "behind": behind}):
        found[row[1]].append(read_event(row))
    return found


def due_contacts(tx: Connection, now: int, most: int) -> list[int]:
    """Contacts of the journeys that are due, the longest due first, each once."""
    return list(dict.fromkeys(tx.scalars(_due, {"now": now, "most": most})))


def newest(tx: Connection, column: Any) -> int:
    """The highest id given so far, 0 for none. Held under the write lock, so the next one is free."""
    return int(tx.scalar(select(func.coalesce(func.max(column), 0))) or 0)


def next_due(tx: Connection) -> int | None:
    """When the next journey is due; None where none waits for a time."""
    due_at: int | None = tx.scalar(select(func.min(JOURNEY.c.due_at)).where(JOURNEY.c.due_at.is_not(None)))
    return due_at
