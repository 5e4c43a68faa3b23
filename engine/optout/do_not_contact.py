"""The Do Not Contact list: who must not be written to, by which channel and sender, and why.

The list as it stands is one table; beside it every act on it is kept, with its evidence, chained for each destination
(`chain.py`). Both are written in one transaction. Whether a message may go is decided in `rules/permission.py`.

A destination is an address in one spelling (`addresses.py`), a whole email domain (`@acme.example`), or the name an
erased contact's address is known by (`keyring.py`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, exists, func, literal, literal_column, select, tuple_

from tactful.elements.contract import (
    NOTHING,
    AddToDoNotContact,
    Contact,
    Covers,
    Instant,
    RemoveFromDoNotContact,
    Settings,
)
from tactful.elements.options.channel import CHANNELS
from tactful.engine.addresses import destination_of
from tactful.engine.keyring import ERASED, Keyring, is_erased
from tactful.engine.optout.chain import chained
from tactful.engine.optout.sources import kind_of
from tactful.engine.rules.permission import ALL_CHANNELS, ANY_SENDER, Block
from tactful.engine.store.holding import hold_list
from tactful.engine.store.rows import to_json
from tactful.engine.store.statements import BLOCK, BLOCK_ACT, INBOUND, Query, Statements, among, as_list
from tactful.engine.store.tally import tally_of

BLOCKED, UNBLOCKED = "block", "unblock"
"""The acts there are."""


class Entry(NamedTuple):
    """Names one entry of the list. `channel` is a channel or `all`; `sender` is empty for any sender."""

    destination: str
    channel: str
    sender: str
    covers: Covers


class Change(NamedTuple):
    """An entry to be put on the list, or taken off it. `source` says by whom or what, `evidence` what proves it."""

    adds: bool
    entry: Entry
    source: str
    reason: str | None = None
    evidence: Mapping[str, Any] = NOTHING


@dataclass(frozen=True, slots=True)
class Act:
    """One act in the history of a destination. `what` is `block` or `unblock`; ids count up over all of them."""

    id: int
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

_erased = Query(
    select(literal_column("1")).where(exists().where(BLOCK.c.destination >= ERASED, BLOCK.c.destination < "$"))
)

_heads = Query(
    select(BLOCK_ACT.c.destination, BLOCK_ACT.c.hash).where(
        BLOCK_ACT.c.id.in_(
            select(func.max(BLOCK_ACT.c.id))
            .where(among(BLOCK_ACT.c.destination, bindparam("destinations")))
            .group_by(BLOCK_ACT.c.destination)
        )
    ),
    "destinations",
)

_reviews = Query(
    select(INBOUND.c.destination, func.max(INBOUND.c.review_due_at))
    .where(INBOUND.c.review_due_at.is_not(None), among(INBOUND.c.destination, bindparam("destinations")))
    .group_by(INBOUND.c.destination),
    "destinations",
)

ACT_COLUMNS = [
    BLOCK_ACT.c[name]
    for name in ("id", "act", "destination", "channel", "sender", "covers", "source", "reason", "at", "evidence")
]


class DoNotContactList:
    """The list of one database."""

    def __init__(self, statements: Statements, keyring: Keyring) -> None:
        self._statements = statements
        self.keyring = keyring

    def blocks_of(self, tx: Connection, destinations: Iterable[str]) -> dict[str, list[Block]]:
        """The entries for each destination: its own, those of its domain, and those it had before its contact was
        erased. Read in the transaction that takes a message, this is the promise."""
        # Are there entries of erased contacts at all? SQLite knows by the first character, which the key is in the
        # order of. PostgreSQL's order is that of a language, so there it is always looked for them.
        erased = tx.dialect.name != "sqlite" or bool(_erased.rows(tx))
        names = {to: self._names(to, erased=erased) for to in destinations}
        found: dict[str, list[Block]] = {}
        for row in _blocks.rows(tx, as_list(dict.fromkeys(name for each in names.values() for name in each))):
            found.setdefault(row[0], []).append(Block(*row))
        if not found:
            return {}
        blocks = {to: [block for name in each for block in found.get(name, ())] for to, each in names.items()}
        return {to: each for to, each in blocks.items() if each}

    def change(self, tx: Connection, changes: Sequence[Change], now: Instant) -> list[Change]:
        """Carry changes out in their order; those that made a difference.

        What is put on the list again is kept in the history either way: whoever asks twice has asked twice. Taking off
        what is not on it is no act. An entry of an erased contact is taken off by its address, too.
        """
        hold_list(tx, to_change=True)
        names = {each.entry.destination for each in changes}
        off = {each.entry.destination for each in changes if not each.adds}
        mine = {to: [to, *self.keyring.erased(to)] for to in off}
        names.update(name for each in mine.values() for name in each)
        before = frozenset([Entry(*row[:4]) for row in _blocks.rows(tx, as_list(names))])
        there = set(before)
        kept: dict[Entry, Change] = {}
        dropped: set[Entry] = set()
        acts: list[tuple[Entry, Change]] = []
        made: list[Change] = []
        for each in changes:
            if each.adds:
                acts.append((each.entry, each))
                if each.entry not in there:
                    there.add(each.entry)
                    kept[each.entry] = each
                    made.append(each)
                continue
            meant = [each.entry._replace(destination=name) for name in mine[each.entry.destination]]
            found = [entry for entry in meant if entry in there]
            for entry in found:
                acts.append((entry, each))
                there.discard(entry)
                kept.pop(entry, None)
                dropped.add(entry)
            if found:
                made.append(each)
        self._statements.drop_blocks.run(tx, [tuple(entry) for entry in dropped if entry in before])
        rows = [(*entry, each.source, each.reason, now) for entry, each in kept.items()]
        self._statements.add_blocks.run(tx, rows)
        self._keep(tx, acts, now)
        # What goes on under another name, since its contact was erased, was counted before.
        tally_of(tx).opt_outs.update(
            [kind_of(each.source) for each in made if each.adds and not is_erased(each.entry.destination)]
        )
        return made

    def _keep(self, tx: Connection, acts: Sequence[tuple[Entry, Change]], now: Instant) -> None:
        heads = dict(row[:2] for row in _heads.rows(tx, as_list({entry.destination for entry, _ in acts})))
        rows = []
        for entry, each in acts:
            act = BLOCKED if each.adds else UNBLOCKED
            evidence = to_json(dict(each.evidence)) if each.evidence else None
            row = (*entry, act, each.source, each.reason, now, evidence)
            head = heads[entry.destination] = chained(heads.get(entry.destination, ""), *row)
            rows.append((*row, head))
        self._statements.add_block_acts.run(tx, rows)

    def history(self, tx: Connection, destination: str) -> list[Act]:
        """Every act on a destination, oldest first; also those on its domain and from before it was erased."""
        names = self._names(destination)
        statement = select(*ACT_COLUMNS).where(BLOCK_ACT.c.destination.in_(names)).order_by(BLOCK_ACT.c.id)
        return [read_act(row) for row in tx.execute(statement)]

    def _names(self, destination: str, *, erased: bool = True) -> list[str]:
        """All names an entry for this destination may stand under, `erased` those from before its contact was, too."""
        local, at, domain = destination.rpartition("@")
        whole = [f"@{domain}"] if at and local else []
        return [destination, *whole, *(self.keyring.erased(destination) if erased else ())]


def read_act(row: Any) -> Act:
    """An act from a row of `ACT_COLUMNS`."""
    id, act, to, channel, sender, covers, source, reason, at, evidence = row
    return Act(id, act, Block(to, channel, sender, covers, source, at), reason, at, json.loads(evidence or "{}"))


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


def under_review(tx: Connection, destinations: Iterable[str]) -> dict[str, Instant]:
    """The destinations an answer from which waits to be read by a person, and until when at most: it may be an
    opt-out, so nothing goes there meanwhile."""
    return {row[0]: row[1] for row in _reviews.rows(tx, as_list(destinations))}


def left_behind(tx: Connection, senders: Collection[str]) -> dict[str, int]:
    """Senders that are none of these, and how many entries hold for each alone: nothing on the list keeps any of these
    from writing there instead. Reads the whole list: in a million entries, a sixth of a second, and half a second more
    for each hundred thousand left behind."""
    wider = BLOCK.alias()
    held = exists().where(
        wider.c.destination == BLOCK.c.destination,
        wider.c.channel.in_((BLOCK.c.channel, ALL_CHANNELS)),
        wider.c.sender.in_((ANY_SENDER, *senders)),
        wider.c.covers.in_((BLOCK.c.covers, "everything")),
    )
    counted = (
        select(BLOCK.c.sender, func.count())
        .where(BLOCK.c.sender.not_in((ANY_SENDER, *senders)), ~held)
        .group_by(BLOCK.c.sender)
        .order_by(BLOCK.c.sender)
    )
    return {sender: int(number) for sender, number in tx.execute(counted)}


_LISTED = ("destination", "channel", "sender", "covers", "source", "since", "reason")
_KEY = tuple(BLOCK.c[name] for name in _LISTED[:4])


def listed(
    tx: Connection, after: Entry | None = None, most: int = 1000, *, channel: str | None = None
) -> list[tuple[Block, str | None]]:
    """A page of the list with the reasons, in the order of destinations, then of all that names an entry. `after` is
    the last entry of the page before; `channel` leaves out all other channels."""
    statement = select(*(BLOCK.c[name] for name in _LISTED)).order_by(*_KEY).limit(most)
    if after is not None:
        statement = statement.where(tuple_(*_KEY) > tuple_(*(literal(each) for each in after)))
    if channel is not None:
        statement = statement.where(BLOCK.c.channel == channel)
    return [(Block(*row[:6]), row[6]) for row in tx.execute(statement)]


def whole_list(tx: Connection, *, channel: str | None = None) -> Iterator[tuple[Block, str | None]]:
    """Every entry, in the order of `listed`, however many there are."""
    last: Entry | None = None
    while page := listed(tx, last, channel=channel):
        yield from page
        block = page[-1][0]
        last = Entry(block.destination, block.channel, block.sender, block.covers)
