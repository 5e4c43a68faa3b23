"""What a shared transaction holds, so that nobody else changes it before the end.

Several transactions may write at once on PostgreSQL (`Store.write(shared=True)`). Each takes what it needs in this
order, and so none can wait for one that waits for it:

1. its contacts: all rows that belong to a contact are changed by whoever holds them. Where it must have certain ones,
   it waits for them, in the order of their numbers; where any will do, it passes over those that others hold.
2. the Do Not Contact list, if it needs it: to read what decides about a message, together with others who read; to
   change it, alone. So a message is taken before an entry commits or after, never in between, and the history of the
   list commits in the order of its ids.

On SQLite there is one writer at a time, who holds everything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Connection, Select, bindparam, or_, select

from tactful.elements.contract import Contact, Instant
from tactful.engine.store.driver import fetched
from tactful.engine.store.reading import CONTACT_COLUMNS
from tactful.engine.store.rows import read_contact
from tactful.engine.store.statements import CONTACT, JOURNEY, MESSAGE, Query, among, as_list

_all = select(*CONTACT_COLUMNS)
_of_messages = select(MESSAGE.c.contact).where(among(MESSAGE.c.journey, bindparam("journeys")))


def _waiting(those: Select[Any], *names: str) -> Query:
    held = those.order_by(None).order_by(CONTACT.c.id).with_for_update(key_share=True)
    return Query(those, *names, postgresql=held)


_these = _waiting(_all.where(among(CONTACT.c.id, bindparam("numbers"))), "numbers")
_named = _waiting(_all.where(among(CONTACT.c.key, bindparam("keys"))), "keys")
_written_to = _waiting(_all.where(CONTACT.c.id.in_(_of_messages)), "journeys")
_told_of = _waiting(
    _all.where(or_(among(CONTACT.c.key, bindparam("keys")), CONTACT.c.id.in_(_of_messages))), "keys", "journeys"
)
_page = _waiting(
    _all.where(CONTACT.c.id > bindparam("behind")).order_by(CONTACT.c.id).limit(bindparam("most")), "behind", "most"
)
_due = Query(
    _all.join(JOURNEY, JOURNEY.c.contact == CONTACT.c.id)
    .where(JOURNEY.c.due_at <= bindparam("now"))
    .order_by(JOURNEY.c.due_at)
    .limit(bindparam("most"))
    .with_for_update(key_share=True, of=CONTACT, skip_locked=True),
    "now", "most",
)  # fmt: skip


LOCK_OF_LIST = 0x7AC7F02
"""The number of the lock on the Do Not Contact list; that of all writes is another (`postgresql.py`). PostgreSQL keeps
the locks of its databases apart."""

_LIST_ALONE = f"SELECT pg_advisory_xact_lock({LOCK_OF_LIST})"
_LIST_SHARED = f"SELECT pg_advisory_xact_lock_shared({LOCK_OF_LIST})"


def hold(tx: Connection, numbers: Iterable[int]) -> dict[int, Contact]:
    """Contacts by number; those that do not exist are left out."""
    return _read(_these.rows(tx, as_list(numbers)))


def hold_named(tx: Connection, keys: Collection[str], journeys: Collection[int] = ()) -> dict[int, Contact]:
    """Contacts, by number, who are named by their own ids, and those whom the messages of these journeys went to."""
    if not journeys:
        return _read(_named.rows(tx, as_list(keys)))
    if not keys:
        return _read(_written_to.rows(tx, as_list(journeys)))
    return _read(_told_of.rows(tx, as_list(keys), as_list(journeys)))


def hold_page(tx: Connection, behind: int, most: int) -> list[Contact]:
    """The next contacts after a number, in the order of their numbers."""
    return list(_read(_page.rows(tx, behind, most)).values())


def hold_due(tx: Connection, now: Instant, most: int) -> dict[int, Contact]:
    """Contacts, by number, of the journeys that are due, the longest due first, but those that somebody else holds. One
    of them may have been seen to a moment ago: nothing is due any more, then."""
    return _read(_due.rows(tx, now, most))


def hold_list(tx: Connection, *, to_change: bool) -> None:
    """The Do Not Contact list, to read it or to change it. Who holds it to read may not come to want it to change."""
    if tx.dialect.name == "postgresql":
        fetched(tx, _LIST_ALONE if to_change else _LIST_SHARED)


def _read(found: Iterable[Any]) -> dict[int, Contact]:
    return {row[0]: read_contact(row) for row in found}
