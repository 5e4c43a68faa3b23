"""Erasing a contact: what says who they are goes, that nobody may write to them stays.

Their address is replaced by a keyed hash on the Do Not Contact list (`keyring.py`), so it is recognised when somebody
brings it back, and cannot be read. What counts and pictures are made of (journeys, visits, messages without an
address) stays, about nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, update

from tactful.elements.contract import Contact, Event, Instant
from tactful.elements.options.channel import CHANNELS
from tactful.engine.addresses import destination_of
from tactful.engine.compose import Engine
from tactful.engine.interpreter import ACTIVE
from tactful.engine.optout.do_not_contact import Change, Entry
from tactful.engine.optout.opting import contacts_at
from tactful.engine.rules.permission import ALL_CHANNELS, ANY_SENDER, Block
from tactful.engine.rules.situation import Delta, Stimulus, TakeOut
from tactful.engine.store import reading, rows
from tactful.engine.store.statements import (
    BLOCK,
    BLOCK_ACT,
    CONSENT,
    CONTACT,
    EVENT,
    INBOUND,
    JOURNEY,
    MEMBERSHIP,
    MESSAGE,
)

ERASED = "erased"
"""The source of an entry whose address was erased before anybody had read an answer from it, and the reason of those
that go on under its hash."""


class UnknownContact(LookupError):
    """There is no contact of that id."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What became of a contact: `key` is what they are called from now on, `entries` counts those that go on under
    a hash, `shared` names addresses that stay because another contact has them, too."""

    key: str
    journeys: int
    entries: int
    shared: tuple[str, ...]


def erase(engine: Engine, key: str, now: Instant) -> Erased:
    """Erase a contact, in one transaction. Raises UnknownContact.

    Journeys end, waiting messages are withdrawn. SQLite overwrites the pages that held what was erased, PostgreSQL does
    so at its next vacuum; backups are yours to deal with.
    """
    with engine.host.transaction() as tx, engine.store.overwriting(tx):
        return _erase(engine, tx, key, now)


def _erase(engine: Engine, tx: Connection, key: str, now: Instant) -> Erased:
    contact = reading.contacts_by_key(tx, [key]).get(key)
    if contact is None:
        raise UnknownContact(f"there is no contact {key!r}")
    flows = {
        engine.host.flows.name[number]
        for number in tx.scalars(
            select(JOURNEY.c.flow).where(JOURNEY.c.contact == contact.number, JOURNEY.c.state == ACTIVE)
        )
    }
    out: list[Stimulus] = [TakeOut(flow, "erased") for flow in sorted(flows)]
    deltas: dict[int, Delta] = {}
    engine.host.take_turns(tx, {contact.number: out}, now, deltas=deltas)
    ended = sum(len(delta.journeys) for delta in deltas.values())
    addresses = dict.fromkeys(to for channel in CHANNELS if (to := destination_of(contact, channel)) is not None)
    shared = tuple(to for to in addresses if set(contacts_at(tx, [to])) - {key})
    entries = _hash_addresses(engine, tx, [to for to in addresses if to not in shared], now)
    _forget(tx, contact)
    return Erased(_name_of(contact), ended, entries, shared)


def _hash_addresses(engine: Engine, tx: Connection, addresses: Sequence[str], now: Instant) -> int:
    """Let what the list says of these addresses go on under their hashes; how many entries that are."""
    known = engine.do_not_contact
    changes = []
    for to in addresses:
        hashed = known.keyring.erased(to)[0]
        entries = [block for block in known.blocks_of(tx, [to]).get(to, ()) if block.destination == to]
        changes += [_under(hashed, block) for block in entries]
        unread = select(INBOUND.c.id).where(INBOUND.c.destination == to, INBOUND.c.review_due_at.is_not(None))
        if tx.scalar(unread.limit(1)) is not None:  # nobody can read it any more, so it counts as a no
            entry = Entry(hashed, ALL_CHANNELS, ANY_SENDER, "everything")
            changes.append(Change(True, entry, ERASED, "an answer waited to be read"))
        tx.execute(delete(BLOCK).where(BLOCK.c.destination == to))
        tx.execute(delete(BLOCK_ACT).where(BLOCK_ACT.c.destination == to))
        tx.execute(delete(INBOUND).where(INBOUND.c.destination == to))
        tx.execute(delete(CONSENT).where(CONSENT.c.destination == to))
    return len(known.change(tx, changes, now))


def _under(hashed: str, block: Block) -> Change:
    entry = Entry(hashed, block.channel, block.sender, block.covers)
    return Change(True, entry, block.source, "its contact was erased", {"since": block.since})


def _forget(tx: Connection, contact: Contact) -> None:
    """Leave of the contact what counts are made of."""
    number = contact.number
    tx.execute(
        update(CONTACT).where(CONTACT.c.id == number)
        .values(key=_name_of(contact), email=None, phone=None, time_zone=None, attributes="{}", tags="[]")
    )  # fmt: skip
    tx.execute(update(EVENT).where(EVENT.c.contact == number).values(data=None, key=None))
    tx.execute(update(MESSAGE).where(MESSAGE.c.contact == number).values(destination=None, provider_id=None, why=None))
    tx.execute(delete(MEMBERSHIP).where(MEMBERSHIP.c.contact == number))
    for id, entry in _entries(tx, number):
        begun = rows.read_entry(entry)
        bare = rows.entry_text(Event(begun.name, begun.at, message=begun.message, id=begun.id))
        tx.execute(update(JOURNEY).where(JOURNEY.c.id == id).values(entry=bare, journey_values=None))


def _entries(tx: Connection, number: int) -> Iterable[tuple[int, str]]:
    found = tx.execute(select(JOURNEY.c.id, JOURNEY.c.entry).where(JOURNEY.c.contact == number))
    return [(row[0], row[1]) for row in found]


def _name_of(contact: Contact) -> str:
    return f"erased-{contact.number}"
