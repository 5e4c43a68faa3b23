"""Events of a message that mean no: they put the address it went to on the Do Not Contact list.

A complaint (somebody marked it as spam) and an opt-out that another system collected are the person's own no; so is
what stands on a provider's own list. A hard bounce is not, and yet nobody may write there again: providers stop those
who do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from tactful.elements.contract import Covers, Instant, Level
from tactful.engine.incoming import OPTED_OUT, Incoming
from tactful.engine.optout.do_not_contact import Change, Entry
from tactful.engine.optout.opting import hold_concerned, look_again, opt
from tactful.engine.rules.permission import ANY_SENDER
from tactful.engine.store import reading

if TYPE_CHECKING:
    from tactful.engine.host import Host

HARD_BOUNCE = "hard bounce"
"""The source of an entry for an address that does not exist."""

_PASSING = frozenset({"soft", "transient", "temporary", "undetermined"})


@dataclass(frozen=True, slots=True)
class No:
    """A no to a message: what becomes of it on the list. `persons_own`: the contact said so themselves, wherever."""

    source: str
    covers: Covers = "everything"
    persons_own: bool = True
    level: Level = "any_sender"


BOUNCED_HARD = No(HARD_BOUNCE, persons_own=False)
"""There is nobody at that address."""

NOES = {
    "complained": No("complaint"),
    "bounced": BOUNCED_HARD,
    OPTED_OUT: No("opt-out told by another system", "marketing"),
}
"""Events of a message that are one."""


def may_be_one(event: Incoming) -> bool:
    """Whether an event may mean no, as far as one can say before it is learnt."""
    return event.message is not None and event.name in NOES


def hold_whom_concern(tx: Connection, events: Sequence[Incoming]) -> None:
    """Before a batch with a no is learnt: hold all it is about, and all who have an address that is put on the list."""
    keys = {each.contact for each in events if each.contact is not None}
    hold_concerned(tx, (), keys, {each.message for each in events if each.message is not None})


def follow(host: Host, tx: Connection, events: Sequence[Incoming], now: Instant) -> None:
    """Do what follows from events that were just learnt."""
    about = [(each, each.message) for each in events if each.message is not None and may_be_one(each)]
    if not about:
        return
    stands = reading.stands(tx, {message.journey for _, message in about})
    contacts = reading.contacts(tx, {stands[message].contact for _, message in about})
    for event, message in about:
        stand, no = stands[message], NOES[event.name]
        if stand.destination is None or (event.name == "bounced" and not is_hard(event.data)):
            continue
        evidence = {"message": str(message), "event": event.name, **({"data": dict(event.data)} if event.data else {})}
        told = [contacts[stand.contact].key] if event.name == OPTED_OUT else []
        to = (stand.destination, stand.channel, stand.sender)
        put_on_list(host, tx, no, to, evidence, now, at=event.at, told_already=told)


def put_on_list(
    host: Host,
    tx: Connection,
    no: No,
    to: tuple[str, str, str],
    evidence: Mapping[str, Any],
    now: Instant,
    *,
    at: Instant | None = None,
    told_already: Sequence[str] = (),
) -> None:
    """Put a message's destination on the list for its channel, and let everything follow. `to` is where the message
    went: destination, channel, sender."""
    destination, channel, sender = to
    entry = Entry(destination, channel, sender if no.level == "this_sender" else ANY_SENDER, no.covers)
    changes = [Change(True, entry, no.source, None, evidence)]
    if no.persons_own:
        opt(host, tx, changes, now, {"channel": channel, "sender": sender}, at=at, told_already=told_already)
    else:
        host.do_not_contact.change(tx, changes, now)
        look_again(host, tx, [destination])


def is_hard(data: Mapping[str, Any]) -> bool:
    """Whether a bounce is for good: it is, unless its `type` says that it may pass."""
    return str(data.get("type", "")).lower() not in _PASSING
