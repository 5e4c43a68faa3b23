"""Opting out and in again: the list is changed, and everything that follows from it happens in the same transaction.

Messages that wait for these addresses are looked at again at once, so that they leave their send by `suppressed`; and
the contacts who have the addresses learn it as an event of their own, by which `stop_when: {event: opted_out}` takes
them out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, bindparam, func, literal_column, or_, select, update

from tactful.elements.contract import Instant
from tactful.engine.incoming import OPTED_IN, OPTED_OUT, Incoming
from tactful.engine.interpreter import ACTIVE
from tactful.engine.optout.do_not_contact import Change
from tactful.engine.store.statements import CONTACT, JOURNEY, MESSAGE, WAITING, one_of

if TYPE_CHECKING:
    from tactful.engine.host import Host


_KEY = (MESSAGE.c.journey, MESSAGE.c.step, MESSAGE.c.contact)
_at_once = (
    update(MESSAGE)
    .where(*(column == bindparam(f"the_{column.name}") for column in _KEY))
    .values(due_at=literal_column("0"))
)


def opt(
    host: Host,
    tx: Connection,
    changes: Sequence[Change],
    now: Instant,
    data: Mapping[str, Any],
    *,
    at: Instant | None = None,
    told_already: Iterable[str] = (),
) -> list[Change]:
    """Change the list, and let everything follow; the changes that made a difference.

    `data` is that of the event which the contacts learn, `opted_out` or `opted_in`, but for those in `told_already`
    (by their own ids), who learn it otherwise; `at` is when it happened, now where it is None.
    """
    made = host.do_not_contact.change(tx, changes, now)
    look_again(tx, [each.entry.destination for each in changes])
    known = set(told_already)
    events = []
    for name, adds in ((OPTED_OUT, True), (OPTED_IN, False)):
        theirs = contacts_at(tx, [each.entry.destination for each in changes if each.adds == adds])
        events += [Incoming(name, contact, data=data, at=at) for contact in theirs if contact not in known]
    host.learn(tx, events, now)
    return made


def look_again(tx: Connection, destinations: Sequence[str]) -> None:
    """Look again at once at the waiting messages of contacts who have these addresses: what the list says changed."""
    if not destinations:
        return
    theirs = select(CONTACT.c.id).where(_has_one_of(destinations))
    journeys = select(JOURNEY.c.id).where(JOURNEY.c.contact.in_(theirs), JOURNEY.c.state == ACTIVE)
    # What others change at this moment is theirs: it waits for no time, or for a short one.
    waiting = (
        select(*(column.label(f"the_{column.name}") for column in _KEY))
        .where(MESSAGE.c.journey.in_(journeys), MESSAGE.c.state.in_(WAITING), MESSAGE.c.due_at.is_not(None))
        .with_for_update(key_share=True, skip_locked=True)
    )
    found = tx.execute(waiting).mappings().all()
    if found:
        tx.execute(_at_once, [dict(each) for each in found])


def contacts_at(tx: Connection, destinations: Sequence[str]) -> list[str]:
    """The contacts (by their own ids) who have one of these addresses; several may share one."""
    if not destinations:
        return []
    return list(tx.scalars(select(CONTACT.c.key).where(_has_one_of(destinations)).order_by(CONTACT.c.id)))


def _has_one_of(destinations: Sequence[str]) -> ColumnElement[bool]:
    email = func.lower(CONTACT.c.email)
    whole = [each for each in destinations if each.startswith("@")]
    single = [each for each in destinations if not each.startswith("@")]
    has_it: list[ColumnElement[bool]] = []
    if whole:  # one look at the contacts, however many domains there are
        before = func.rtrim(email, func.replace(email, "@", ""))  # up to the last @, in words all databases know
        domain = func.substr(email, func.length(before))
        has_it.append(CONTACT.c.email.is_not(None) & one_of(domain, whole))
    if any("@" in each for each in single):
        has_it.append(CONTACT.c.email.is_not(None) & one_of(email, single))
    if any(each.startswith("+") for each in single):
        has_it.append(CONTACT.c.phone.is_not(None) & one_of(CONTACT.c.phone, single))
    return or_(False, *has_it)
