"""Entries from a file, put on the Do Not Contact list. An import adds; it takes nothing off and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from tactful.elements.contract import Instant
from tactful.engine.compose import Engine
from tactful.engine.optout.by_hand import change_list
from tactful.engine.optout.do_not_contact import Change, DoNotContactList, Entry
from tactful.engine.optout.list_file import Row
from tactful.engine.optout.opting import changing


@dataclass(frozen=True, slots=True)
class Brought:
    """How many entries were new, and how many were on the list already."""

    new: int = 0
    there: int = 0

    def __add__(self, other: Brought) -> Brought:
        return Brought(self.new + other.new, self.there + other.there)


def bring(engine: Engine, rows: Sequence[Row], file: str, now: Instant) -> Brought:
    """Put a batch of a file's entries on the list, in one transaction. When this returns they are committed, waiting
    messages to them are suppressed and the contacts have learnt it. What is there already is no act, so a file that
    broke off is simply brought in again. `file` is its name, for the evidence."""
    with changing(engine.store, [row.entry.destination for row in rows]) as tx:
        new = _new(engine.do_not_contact, tx, rows)
        change_list(engine, tx, [_change(row, file) for row in new], now)
    return Brought(len(new), len(rows) - len(new))


class Trial:
    """What bringing a file in would come to, without doing it."""

    def __init__(self, engine: Engine | None) -> None:
        self._engine = engine
        self._seen: set[Entry] = set()

    def bring(self, rows: Sequence[Row]) -> Brought:
        """The next batch of the file. Without an engine there is no list yet."""
        fresh = [row for row in rows if row.entry not in self._seen]
        if self._engine is None:
            new = list({row.entry: row for row in fresh}.values())
        else:
            with self._engine.store.read() as tx:
                new = _new(self._engine.do_not_contact, tx, fresh)
        self._seen.update(row.entry for row in new)
        return Brought(len(new), len(rows) - len(new))


def _new(list_: DoNotContactList, tx: Connection, rows: Sequence[Row]) -> list[Row]:
    """The first row of each entry that is not on the list: not itself, nor under the name an erased address has. An
    entry that says more does not count: it may be taken off one day."""
    once = {row.entry: row for row in reversed(rows)}
    blocks = list_.blocks_of(tx, {entry.destination for entry in once})
    there = {
        Entry(to, block.channel, block.sender, block.covers)
        for to, each in blocks.items()
        for block in each
        if block.destination == to or not block.destination.startswith("@")
    }
    return [row for row in reversed(once.values()) if row.entry not in there]


def _change(row: Row, file: str) -> Change:
    said = {"source": row.source, "added": row.added, "account": row.account}
    evidence = {"file": file, "line": row.line, **{name: each for name, each in said.items() if each}}
    source = f"import {file}" + (f": {row.source}" if row.source else "")
    return Change(True, row.entry, source, row.reason, evidence)
