"""What a person does to the Do Not Contact list: put an address on it, take it off, ask why.

The address comes as a person writes it, with the channel it is meant for; `all` is every channel that
reaches this kind of address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from tactful.elements.contract import Covers, Instant, Purpose
from tactful.elements.options.channel import CHANNELS
from tactful.engine.addresses import BadAddress, destination, email_domain, is_email_domain
from tactful.engine.compose import Engine
from tactful.engine.flowbook import FlowGone
from tactful.engine.optout.do_not_contact import BLOCKED, Act, Change, Entry
from tactful.engine.optout.opting import changing, look_again, opt
from tactful.engine.rules.permission import ALL_CHANNELS, ANY_SENDER, Block, Request, covering
from tactful.engine.store.statements import BLOCK, INBOUND

PERSON = "a person"


@dataclass(frozen=True, slots=True)
class Unread:
    """An answer that waits to be read by a person: nothing goes to who wrote it, until `due_at` at most."""

    number: int
    sender: str
    text: str
    due_at: Instant


@dataclass(frozen=True, slots=True)
class Explained:
    """May this address be written to? `block` is the entry that says no, None where none does.

    `reviews` are answers from there that wait to be read: until then nothing goes there either. Of a whole domain,
    `single` counts the addresses in it that have entries of their own.
    """

    destination: str
    channel: str
    sender: str
    purpose: Purpose
    block: Block | None
    entries: tuple[Block, ...]
    history: tuple[Act, ...]
    reviews: tuple[Unread, ...] = ()
    single: int = 0


def destination_for(address: str, channel: str, region: str | None = None) -> str:
    """The key of an address on a channel; of a whole email domain, too. Raises BadAddress in plain words."""
    if channel != ALL_CHANNELS and channel not in CHANNELS:
        raise BadAddress(f"there is no channel {channel!r}; there are {', '.join(CHANNELS)} and {ALL_CHANNELS}")
    if channel in (ALL_CHANNELS, "email") and is_email_domain(address):
        return email_domain(address)
    kind = ("email" if "@" in address else "phone") if channel == ALL_CHANNELS else CHANNELS[channel].address
    return destination(kind, address, region)


def block(
    engine: Engine,
    address: str,
    channel: str,
    now: Instant,
    *,
    sender: str = ANY_SENDER,
    covers: Covers = "everything",
    reason: str | None = None,
    region: str | None = None,
) -> bool:
    """Put an address on the list; whether it was not on it yet. Waiting messages to it are suppressed at once."""
    to = destination_for(address, channel, region)
    change = Change(True, Entry(to, channel, sender, covers), PERSON, reason)
    with changing(engine.store, [to]) as tx:
        return bool(_opt(engine, tx, [change], now, {"channel": channel, "sender": sender or None}))


def unblock(
    engine: Engine,
    address: str,
    channel: str,
    now: Instant,
    *,
    reason: str,
    sender: str = ANY_SENDER,
    covers: Covers | None = None,
    region: str | None = None,
) -> int:
    """Take an address off the list, from exactly this channel and level; how many entries that were.

    It takes a reason, which is kept. `covers` None means whichever the entry covers.
    """
    to = destination_for(address, channel, region)
    kinds: tuple[Covers, ...] = ("marketing", "everything") if covers is None else (covers,)
    changes = [Change(False, Entry(to, channel, sender, kind), PERSON, reason) for kind in kinds]
    with changing(engine.store, [to]) as tx:
        return len(_opt(engine, tx, changes, now, {"channel": channel, "sender": sender or None}))


def change_list(engine: Engine, tx: Connection, changes: Sequence[Change], now: Instant) -> list[Change]:
    """Carry changes of the list out in an open transaction, and let everything follow; those that made a difference."""
    alike: dict[tuple[str, str], list[Change]] = {}
    for each in changes:
        alike.setdefault((each.entry.channel, each.entry.sender), []).append(each)
    return [
        made
        for (channel, sender), of_one in alike.items()
        for made in _opt(engine, tx, of_one, now, {"channel": channel, "sender": sender or None})
    ]


def carry_out(engine: Engine, changes: Sequence[Change], now: Instant) -> list[Change]:
    """The same, all in one transaction of its own."""
    with changing(engine.store, [each.entry.destination for each in changes]) as tx:
        return change_list(engine, tx, changes, now)


def take_off(
    engine: Engine,
    destination: str,
    now: Instant,
    *,
    source: str,
    reason: str,
    channel: str | None = None,
    sender: str | None = None,
) -> int:
    """Take a destination off the list: every entry of its own, or only those for a channel or a sender; how many that
    were. An entry of its whole domain stays."""
    with engine.store.read() as tx:
        entries = engine.do_not_contact.blocks_of(tx, [destination]).get(destination, [])
    meant = {
        Entry(destination, each.channel, each.sender, each.covers)
        for each in entries
        if channel in (None, each.channel) and sender in (None, each.sender)
    }
    return len(carry_out(engine, [Change(False, each, source, reason) for each in sorted(meant)], now))


def reason_of(block: Block, history: Sequence[Act]) -> str | None:
    """The reason an entry stands with: that of the act that put it there."""
    return next(
        (act.reason for act in history if act.what == BLOCKED and act.block == block),
        None,
    )


def _opt(
    engine: Engine, tx: Connection, changes: Sequence[Change], now: Instant, data: Mapping[str, Any]
) -> list[Change]:
    """The list is changed also where no flow loads any more; then nobody learns of it."""
    try:
        engine.host.flows.refresh(tx)
    except FlowGone:
        made = engine.do_not_contact.change(tx, changes, now)
        look_again(engine.host, tx, [each.entry.destination for each in changes])
        return made
    return opt(engine.host, tx, changes, now, data)


def explain(
    engine: Engine,
    address: str,
    channel: str,
    *,
    sender: str = ANY_SENDER,
    purpose: Purpose = "marketing",
    region: str | None = None,
) -> Explained:
    """May this address be written to, and which entry decides."""
    to = destination_for(address, channel, region)
    with engine.store.read() as tx:
        entries = engine.do_not_contact.blocks_of(tx, [to]).get(to, [])
        history = engine.do_not_contact.history(tx, to)
        reviews = _unread(tx, to)
        single = _of_domain(tx, to) if to.startswith("@") else 0
    decides = covering(Request(channel, sender, to, purpose, None), entries)
    return Explained(to, channel, sender, purpose, decides, tuple(entries), tuple(history), reviews, single)


def _unread(tx: Connection, destination: str) -> tuple[Unread, ...]:
    rows = tx.execute(
        select(INBOUND.c.id, INBOUND.c.sender, INBOUND.c.text, INBOUND.c.review_due_at)
        .where(INBOUND.c.destination == destination, INBOUND.c.review_due_at.is_not(None))
        .order_by(INBOUND.c.id)
    )
    return tuple(Unread(*row) for row in rows)


def _of_domain(tx: Connection, domain: str) -> int:
    inside = BLOCK.c.destination.endswith(domain, autoescape=True), BLOCK.c.destination != domain
    return int(tx.scalar(select(func.count(BLOCK.c.destination.distinct())).where(*inside)) or 0)
