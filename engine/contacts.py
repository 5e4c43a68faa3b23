"""The contacts: put in and changed, a batch at a time, with everything that follows from a change."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from tactful.elements.contract import Contact, Event, Instant
from tactful.elements.options.condition import Condition
from tactful.engine.contacts_file import ContactFields
from tactful.engine.host import BATCH, Host
from tactful.engine.interpreter import zone_of
from tactful.engine.rules.situation import ContactChanged
from tactful.engine.store import numbering, rows
from tactful.engine.store.holding import hold_named
from tactful.engine.store.reading import CONTACT_COLUMNS
from tactful.engine.store.statements import CONTACT


@dataclass(frozen=True, slots=True)
class Put:
    """How many contacts were new, changed, and as they were."""

    new: int = 0
    changed: int = 0
    same: int = 0

    def __add__(self, other: Put) -> Put:
        return Put(self.new + other.new, self.changed + other.changed, self.same + other.same)


def put_contacts(host: Host, people: Sequence[ContactFields], now: Instant) -> Put:
    """Create or change contacts; segments, stop rules and waits for a change act with it."""
    done = Put()
    for start in range(0, len(people), BATCH):
        with host.transaction(shared=True) as tx:
            done += _put(host, tx, people[start : start + BATCH], now)
    return done


def _put(host: Host, tx: Connection, people: Sequence[ContactFields], now: Instant) -> Put:
    before = _held(tx, {each.key for each in people})
    next_number = numbering.counter(tx, CONTACT.c.id, len(people))
    known = _with(people, before, next_number)
    # In the order of their keys, so that two who put in the same people never wait for each other.
    new = [known[key] for key in sorted(known.keys() - before.keys())]
    if host.store.statements.add_contacts.run(tx, [(*_row(contact), now, now) for contact in new]) < len(new):
        quicker = _put_in_meanwhile(tx, new)
        before |= quicker
        known |= _with([each for each in people if each.key in quicker], quicker, next_number)
        new = [contact for contact in new if contact.key not in quicker]
    changed = [contact for key, contact in known.items() if key in before and contact != before[key]]
    host.store.statements.put_contacts.run(tx, [(*_row(contact)[1:], now, contact.number) for contact in changed])
    host.take_turns(tx, {contact.number: [ContactChanged()] for contact in (*new, *changed)}, now)
    return Put(len(new), len(changed), len(known) - len(new) - len(changed))


def _with(
    people: Iterable[ContactFields], known: Mapping[str, Contact], next_number: Callable[[], int]
) -> dict[str, Contact]:
    """Those who are known, with what is said of people; who is not is new."""
    found = dict(known)
    for each in people:
        found[each.key] = _merged(found.get(each.key) or Contact(next_number(), each.key), each)
    return found


def _held(tx: Connection, keys: Collection[str]) -> dict[str, Contact]:
    return {contact.key: contact for contact in hold_named(tx, keys).values()}


def _put_in_meanwhile(tx: Connection, new: Sequence[Contact]) -> dict[str, Contact]:
    """Those whom somebody else was quicker to put in."""
    numbers = {contact.key: contact.number for contact in new}
    return {key: each for key, each in _held(tx, numbers).items() if each.number != numbers[key]}


def _merged(old: Contact, said: ContactFields) -> Contact:
    attributes = dict(old.attributes)
    for name, value in said.attributes.items():
        if value is None:
            attributes.pop(name, None)
        else:
            attributes[name] = value
    return Contact(
        old.number, old.key, attributes, old.tags | said.tags, said.email or old.email, said.phone or old.phone,
        said.time_zone or old.time_zone,
    )  # fmt: skip


def _row(contact: Contact) -> tuple[Any, ...]:
    return (
        contact.number, contact.key, contact.email, contact.phone, contact.time_zone,
        rows.to_json(dict(contact.attributes)), rows.to_json(sorted(contact.tags)),
    )  # fmt: skip


def count_contacts(tx: Connection) -> int:
    """How many contacts there are."""
    return int(tx.scalar(select(func.count()).select_from(CONTACT)) or 0)


def page_of_contacts(tx: Connection, behind: int, most: int) -> list[Contact]:
    """Contacts by number, after `behind`."""
    statement = select(*CONTACT_COLUMNS).where(CONTACT.c.id > behind).order_by(CONTACT.c.id).limit(most)
    return [rows.read_contact(row) for row in tx.execute(statement)]


def those_who(
    contacts: Iterable[Contact], audience: Condition | None, time_zone: str | None, now: Instant
) -> Iterator[Contact]:
    """The contacts for whom a condition holds; all of them without one."""
    nothing = Event("", now)
    for contact in contacts:
        zone = zone_of(contact, time_zone)
        if audience is None or audience.holds(contact, nothing, nothing, {}, now, zone):
            yield contact
