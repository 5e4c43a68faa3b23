"""Opting out and in again: the list is changed, and everything that follows from it happens in the same transaction.

Others write meanwhile (`changing`): whoever has the addresses is held first, then the list.

Messages that wait for these addresses are looked at again at once, so that they leave their send by `suppressed`; and
the contacts who have the addresses learn it as an event of their own, by which `stop_when: {event: opted_out}` takes
them out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, bindparam, func, literal_column, or_, select

from tactful.elements.contract import Instant, MessageKey
from tactful.engine.incoming import OPTED_IN, OPTED_OUT, Incoming
from tactful.engine.interpreter import ACTIVE
from tactful.engine.optout.do_not_contact import Change
from tactful.engine.store import reading
from tactful.engine.store.holding import hold, hold_list
from tactful.engine.store.statements import CONTACT, JOURNEY, MESSAGE, WAITING_LITERALS, Query, among, as_list

if TYPE_CHECKING:
    from tactful.engine.host import Host
    from tactful.engine.store.database import Store


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
    look_again(host, tx, [each.entry.destination for each in changes])
    known = set(told_already)
    events = []
    for name, adds in ((OPTED_OUT, True), (OPTED_IN, False)):
        theirs = contacts_at(tx, [each.entry.destination for each in changes if each.adds == adds])
        events += [Incoming(name, contact, data=data, at=at) for contact in theirs if contact not in known]
    host.learn(tx, events, now)
    return made


@contextmanager
def changing(store: Store, destinations: Sequence[str]) -> Iterator[Connection]:
    """A write transaction for changes of the list at these addresses, and for what follows from them. Nobody else
    changes the list before its end, nor the contacts who have the addresses; where a whole domain is among them, which
    may be anybody's, nobody else writes at all."""
    alone = any(each.startswith("@") for each in destinations)
    with store.write(shared=not alone) as tx:
        hold_concerned(tx, destinations)
        yield tx


def hold_concerned(
    tx: Connection, destinations: Sequence[str] = (), keys: Collection[str] = (), messages: Collection[MessageKey] = ()
) -> None:
    """Hold whoever has these addresses and the list, to change it. A transaction that goes on to learn of others holds
    them with this, too, for nobody may be waited for once the list is held: those of these ids of their own, and those
    whom these messages went to, with all who have the address that one went to."""
    if tx.dialect.name == "postgresql":
        stands = reading.stands(tx, {message.journey for message in messages})
        went_to = [to for each in messages if each in stands and (to := stands[each].destination) is not None]
        numbers = {each.number for each in reading.contacts_by_key(tx, keys).values()}
        numbers.update(stand.contact for stand in stands.values())
        numbers.update(number for number, _ in _contacts_at(tx, [*destinations, *went_to]))
        hold(tx, numbers)
    hold_list(tx, to_change=True)


def look_again(host: Host, tx: Connection, destinations: Sequence[str]) -> None:
    """Look again at once at the waiting messages of contacts who have these addresses: what the list says changed."""
    lists = _by_kind(destinations)
    if lists and _waiting.rows(tx):
        host.store.statements.hurry_messages.run(tx, _waiting_at(*lists).rows(tx, *lists.values()))


def contacts_at(tx: Connection, destinations: Sequence[str]) -> list[str]:
    """The contacts (by their own ids) who have one of these addresses; several may share one."""
    return [key for _, key in _contacts_at(tx, destinations)]


def _contacts_at(tx: Connection, destinations: Sequence[str]) -> Sequence[tuple[int, str]]:
    """Their numbers, too."""
    lists = _by_kind(destinations)
    return _who_has(*lists).rows(tx, *lists.values()) if lists else ()


def _by_kind(destinations: Sequence[str]) -> dict[str, str]:
    """The lists of whole domains, of emails and of phone numbers among these; only those that hold something."""
    whole = [each for each in destinations if each.startswith("@")]
    emails = [each for each in destinations if "@" in each and not each.startswith("@")]
    phones = [each for each in destinations if each.startswith("+") and "@" not in each]
    kinds = {"whole": whole, "emails": emails, "phones": phones}
    return {kind: as_list(each) for kind, each in kinds.items() if each}


# Does anything wait at all? To find who has an address takes a page from anywhere in a large index, for each of them.
# The order is that of the index: PostgreSQL would read all messages to find that none waits.
_waiting = Query(
    select(literal_column("1"))
    .where(MESSAGE.c.due_at.is_not(None))
    .order_by(MESSAGE.c.sender, MESSAGE.c.due_at)
    .limit(literal_column("1"))
)


@cache
def _waiting_at(*kinds: str) -> Query:
    theirs = select(CONTACT.c.id).where(_has_one_of(kinds))
    journeys = select(JOURNEY.c.id).where(JOURNEY.c.contact.in_(theirs), JOURNEY.c.state == ACTIVE)
    # What others change at this moment is theirs: it waits for no time, or for a short one.
    waiting = (
        select(MESSAGE.c.journey, MESSAGE.c.step, MESSAGE.c.contact)
        .where(MESSAGE.c.journey.in_(journeys), MESSAGE.c.state.in_(WAITING_LITERALS), MESSAGE.c.due_at.is_not(None))
        .with_for_update(key_share=True, skip_locked=True)
    )
    return Query(waiting, *kinds)


@cache
def _who_has(*kinds: str) -> Query:
    return Query(select(CONTACT.c.id, CONTACT.c.key).where(_has_one_of(kinds)).order_by(CONTACT.c.id), *kinds)


def _has_one_of(kinds: Sequence[str]) -> ColumnElement[bool]:
    """Whether a contact's addresses are in the lists of these kinds."""
    email = func.lower(CONTACT.c.email)
    has_it: list[ColumnElement[bool]] = []
    if "whole" in kinds:  # one look at the contacts, however many domains there are
        before = func.rtrim(email, func.replace(email, "@", ""))  # up to the last @, in words all databases know
        domain = func.substr(email, func.length(before))
        has_it.append(CONTACT.c.email.is_not(None) & among(domain, bindparam("whole")))
    if "emails" in kinds:
        has_it.append(CONTACT.c.email.is_not(None) & among(email, bindparam("emails")))
    if "phones" in kinds:
        has_it.append(CONTACT.c.phone.is_not(None) & among(CONTACT.c.phone, bindparam("phones")))
    return or_(*has_it)
