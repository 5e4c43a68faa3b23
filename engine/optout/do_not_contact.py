"""The Do Not Contact list: who must not be written to, by which channel and sender, and why.

The list as it stands is one table; beside it every act on it is kept for ever, with its evidence.
Both are written in one transaction. Whether a message may go is decided in `rules/permission.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from tactful.elements.contract import (
    AddToDoNotContact,
    Contact,
    Covers,
    Instant,
    RemoveFromDoNotContact,
    Settings,
)
from tactful.elements.options.channel import CHANNELS
from tactful.engine.addresses import destination_of
from tactful.engine.rules.permission import ALL_CHANNELS, ANY_SENDER, Block
from tactful.engine.store.rows import to_json
from tactful.engine.store.statements import BLOCK, BLOCK_ACT, INBOUND, Query, Statements, among, as_list


@dataclass(frozen=True, slots=True)
class Act:
    """One act in the history of a destination. `what` is `block` or `unblock`."""

    what: str
    block: Block
    reason: str | None
    at: Instant
    evidence: Mapping[str, Any]


_blocks = Query(
    select(*(BLOCK.c[n] for n in ("destination", "channel", "sender", "covers", "source", "since")))
    .where(among(BLOCK.c.destination, bindparam("destinations"))),
    "destinations",
)  # fmt: skip

_reviews = Query(
    select(INBOUND.c.destination, func.max(INBOUND.c.review_due_at))
    .where(INBOUND.c.review_due_at.is_not(None), among(INBOUND.c.destination, bindparam("destinations")))
    .group_by(INBOUND.c.destination),
    "destinations",
)


def resolve(
    contact: Contact, change: AddToDoNotContact | RemoveFromDoNotContact, settings: Settings
) -> list[tuple[str, str, str]]:
    """The rows (destination, channel, sender) a flow's change of the list means for a contact.

    Empty where the contact has no address there. `all` means every address they have, on every channel;
    with `this_sender`, each of the flow's senders on its own channel.
    """
    if change.channel != ALL_CHANNELS:
        sender = ANY_SENDER
        if change.level == "this_sender":
            sender = change.sender or settings.senders.get(change.channel, "")
            if not sender:
                return []
        destination = destination_of(contact, change.channel)
        return [] if destination is None else [(destination, change.channel, sender)]
    if change.level == "this_sender":
        named = settings.senders if change.sender is None else dict.fromkeys(settings.senders, change.sender)
        return [
            (destination, channel, sender)
            for channel, sender in named.items()
            if (destination := destination_of(contact, channel)) is not None
        ]
    destinations = {destination_of(contact, channel): None for channel in CHANNELS}
    return [(destination, ALL_CHANNELS, ANY_SENDER) for destination in destinations if destination is not None]


def blocks_of(tx: Connection, destinations: Iterable[str]) -> dict[str, list[Block]]:
    """The entries for each destination. Read in the transaction that takes a message, this is the promise."""
    found: dict[str, list[Block]] = {}
    for row in _blocks.rows(tx, as_list(destinations)):
        found.setdefault(row[0], []).append(Block(*row))
    return found


def under_review(tx: Connection, destinations: Iterable[str]) -> dict[str, Instant]:
    """The destinations an answer from which waits to be read by a person, and until when at most: it may be an
    opt-out, so nothing goes there meanwhile."""
    return {row[0]: row[1] for row in _reviews.rows(tx, as_list(destinations))}


def add(
    tx: Connection,
    statements: Statements,
    entries: Sequence[tuple[str, str, str, Covers]],
    source: str,
    reason: str | None,
    now: Instant,
    evidence: Mapping[str, Any],
) -> int:
    """Put entries (destination, channel, sender, covers) on the list; how many were not on it yet.

    The act is kept in the history either way: whoever asks twice has asked twice.
    """
    kept = to_json(dict(evidence))
    new = statements.add_blocks.run(tx, [(*entry, source, reason, now) for entry in entries])
    statements.add_block_acts.run(tx, [(*entry, "block", source, reason, now, kept) for entry in entries])
    return new


def remove(
    tx: Connection,
    statements: Statements,
    entries: Sequence[tuple[str, str, str, Covers]],
    source: str,
    reason: str | None,
    now: Instant,
) -> int:
    """Take entries off the list; how many were on it. Only those are kept in the history."""
    there = {
        (block.destination, block.channel, block.sender, block.covers)
        for blocks in blocks_of(tx, {entry[0] for entry in entries}).values()
        for block in blocks
    }
    gone = [entry for entry in entries if entry in there]
    statements.drop_blocks.run(tx, gone)
    statements.add_block_acts.run(tx, [(*entry, "unblock", source, reason, now, None) for entry in gone])
    return len(gone)


def history(tx: Connection, destination: str) -> list[Act]:
    """Every act on a destination, oldest first."""
    names = ("act", "destination", "channel", "sender", "covers", "source", "reason", "at", "evidence")
    rows = tx.execute(
        select(*(BLOCK_ACT.c[name] for name in names))
        .where(BLOCK_ACT.c.destination == destination)
        .order_by(BLOCK_ACT.c.id)
    )
    return [
        Act(act, Block(to, channel, sender, covers, source, at), reason, at, json.loads(evidence or "{}"))
        for act, to, channel, sender, covers, source, reason, at, evidence in rows
    ]


def listed(tx: Connection, after: str = "", most: int = 1000) -> list[tuple[Block, str | None]]:
    """A page of the list in the order of destinations, with the reasons."""
    names = ("destination", "channel", "sender", "covers", "source", "since", "reason")
    rows = tx.execute(
        select(*(BLOCK.c[name] for name in names))
        .where(BLOCK.c.destination > after)
        .order_by(BLOCK.c.destination, BLOCK.c.channel, BLOCK.c.sender, BLOCK.c.covers)
        .limit(most)
    )
    return [(Block(*row[:6]), row[6]) for row in rows]
