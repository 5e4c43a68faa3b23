"""What a turn needs to know, read for a whole batch of contacts at once."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import JSON, BigInteger, ColumnElement, Connection, bindparam, cast, func, literal_column, or_, select

from tactful.elements.contract import Contact, Event, Message, MessageKey
from tactful.engine.interpreter import ACTIVE
from tactful.engine.rules.entry import Entries
from tactful.engine.rules.receipts import MessageStand
from tactful.engine.store.rows import read_contact, read_event
from tactful.engine.store.statements import CONTACT, EVENT, JOURNEY, MEMBERSHIP, MESSAGE, Query, among, as_list

CONTACT_COLUMNS = [CONTACT.c[n] for n in ("id", "key", "email", "phone", "time_zone", "attributes", "tags")]
JOURNEY_COLUMNS = [JOURNEY.c[n] for n in (
    "id", "contact", "flow", "version", "entry_number", "state", "element", "step", "entered_at", "arrived_at",
    "due_at", "since", "entry", "journey_values", "ended_at", "why", "stood_still",
)]  # fmt: skip
EVENT_COLUMNS = [EVENT.c[n] for n in ("id", "contact", "name", "at", "data", "message_journey", "message_step")]

STOOD_STILL = JOURNEY_COLUMNS.index(JOURNEY.c.stood_still)

_contacts = Query(select(*CONTACT_COLUMNS).where(among(CONTACT.c.id, bindparam("numbers"))), "numbers")
_contacts_by_key = Query(select(*CONTACT_COLUMNS).where(among(CONTACT.c.key, bindparam("keys"))), "keys")
_active = Query(
    select(*JOURNEY_COLUMNS).where(among(JOURNEY.c.contact, bindparam("numbers")), JOURNEY.c.state == ACTIVE), "numbers"
)
_messages = Query(
    select(MESSAGE.c.journey, MESSAGE.c.step, MESSAGE.c.element, MESSAGE.c.state, MESSAGE.c.sent_at)
    .where(among(MESSAGE.c.journey, bindparam("journeys")))
    .order_by(MESSAGE.c.journey, MESSAGE.c.step),
    "journeys",
)
_sent_by_active = Query(
    select(JOURNEY.c.contact, MESSAGE.c.sender, MESSAGE.c.journey, MESSAGE.c.step)
    .join(MESSAGE, MESSAGE.c.journey == JOURNEY.c.id)
    .where(
        among(JOURNEY.c.contact, bindparam("numbers")),
        JOURNEY.c.state == ACTIVE,
        MESSAGE.c.sent_at.is_not(None),
    )
    .order_by(MESSAGE.c.sent_at.desc(), MESSAGE.c.journey.desc(), MESSAGE.c.step.desc()),
    "numbers",
)
_entries = Query(
    select(JOURNEY.c.contact, JOURNEY.c.flow, func.max(JOURNEY.c.entry_number), func.max(JOURNEY.c.entered_at))
    .where(among(JOURNEY.c.contact, bindparam("numbers")), among(JOURNEY.c.flow, bindparam("flows")))
    .group_by(JOURNEY.c.contact, JOURNEY.c.flow),
    "numbers", "flows",
)  # fmt: skip
_members = Query(
    select(MEMBERSHIP.c.contact, MEMBERSHIP.c.flow).where(among(MEMBERSHIP.c.contact, bindparam("numbers"))), "numbers"
)
_wanted = func.json_each(bindparam("wanted")).table_valued("value")
_each = func.json_array_elements(cast(bindparam("wanted"), JSON)).table_valued("value")


def _place(number: int) -> ColumnElement[int]:
    return cast(_each.c.value.op("->>")(literal_column(str(number))), BigInteger)


_log = Query(
    select(*EVENT_COLUMNS)
    .select_from(_wanted)
    .join(EVENT, EVENT.c.contact == func.json_extract(_wanted.c.value, "$[0]"))
    .where(
        EVENT.c.id > func.json_extract(_wanted.c.value, "$[1]"),
        EVENT.c.used == 0,
        or_(EVENT.c.message_journey.is_not(None), EVENT.c.id > func.json_extract(_wanted.c.value, "$[2]")),
    )
    .order_by(EVENT.c.id),
    "wanted",
    postgresql=select(*EVENT_COLUMNS)
    .select_from(_each)
    .join(EVENT, EVENT.c.contact == _place(0))
    .where(
        EVENT.c.id > _place(1),
        EVENT.c.used == 0,
        or_(EVENT.c.message_journey.is_not(None), EVENT.c.id > _place(2)),
    )
    .order_by(EVENT.c.id),
)
_stands = Query(
    select(*(MESSAGE.c[n] for n in (
        "journey", "step", "contact", "element", "state", "unknowns", "taken_at", "channel", "sender", "destination",
    )))
    .where(among(MESSAGE.c.journey, bindparam("journeys"))),
    "journeys",
)  # fmt: skip
NEXT_TIMER = select(func.min(JOURNEY.c.due_at)).where(JOURNEY.c.due_at.is_not(None))
"""When the next journey is due; None where none waits for a time."""
_keys_seen = Query(select(EVENT.c.key).where(among(EVENT.c.key, bindparam("keys"))), "keys")


def contacts(tx: Connection, numbers: Iterable[int]) -> dict[int, Contact]:
    """Contacts by number; those that do not exist are left out."""
    return {row[0]: read_contact(row) for row in _contacts.rows(tx, as_list(numbers))}


def contacts_by_key(tx: Connection, keys: Collection[str]) -> dict[str, Contact]:
    """Contacts by their own id; those that do not exist are left out."""
    found = (read_contact(row) for row in _contacts_by_key.rows(tx, as_list(keys))) if keys else ()
    return {contact.key: contact for contact in found}


def active_journeys(tx: Connection, numbers: Sequence[int]) -> Sequence[Any]:
    """Rows of the contacts' active journeys, with `JOURNEY_COLUMNS`."""
    return _active.rows(tx, as_list(numbers))


def messages(tx: Connection, journeys: Sequence[int]) -> dict[int, dict[str, Message]]:
    """For each journey, the newest message of each element."""
    found: dict[int, dict[str, Message]] = defaultdict(dict)
    for journey, step, element, state, sent_at in _messages.rows(tx, as_list(journeys)):
        found[journey][element] = Message(step, state, sent_at)
    return found


def sent_by_active(tx: Connection, numbers: Sequence[int]) -> dict[int, list[tuple[str, MessageKey]]]:
    """For each contact the messages their active journeys sent, with their senders, the newest first."""
    found: dict[int, list[tuple[str, MessageKey]]] = defaultdict(list)
    for contact, sender, journey, step in _sent_by_active.rows(tx, as_list(numbers)):
        found[contact].append((sender, MessageKey(journey, step)))
    return found


def entries(tx: Connection, numbers: Sequence[int], flows: Sequence[int]) -> dict[int, dict[int, Entries]]:
    """Contact number -> flow number -> entries so far."""
    found: dict[int, dict[int, Entries]] = defaultdict(dict)
    if flows:
        for contact, flow, count, last_at in _entries.rows(tx, as_list(numbers), as_list(flows)):
            found[contact][flow] = Entries(count, last_at)
    return found


def members(tx: Connection, numbers: Sequence[int]) -> dict[int, set[int]]:
    """Contact number -> numbers of the segment flows whose condition held when last looked."""
    found: dict[int, set[int]] = defaultdict(set)
    for contact, flow in _members.rows(tx, as_list(numbers)):
        found[contact].add(flow)
    return found


def log(tx: Connection, wanted: Sequence[tuple[int, int, int]]) -> dict[int, list[Event]]:
    """For each contact the events that may still end a wait, in the order learnt. Wanted are: the contact's number,
    the id behind which events of messages count, and that behind which their own do."""
    found: dict[int, list[Event]] = defaultdict(list)
    for row in _log.rows(tx, json.dumps(wanted)):
        found[row[1]].append(read_event(row))
    return found


def stands(tx: Connection, journeys: Iterable[int]) -> dict[MessageKey, MessageStand]:
    """How the messages of journeys stand."""
    wanted = list(journeys)
    if not wanted:
        return {}
    return {MessageKey(row[0], row[1]): MessageStand(*row[2:]) for row in _stands.rows(tx, as_list(wanted))}


def keys_seen(tx: Connection, keys: Collection[str]) -> set[str]:
    """Which of these events, by their tellers' keys, were told before."""
    return {row[0] for row in _keys_seen.rows(tx, as_list(keys))} if keys else set()
