"""Whether the history of the Do Not Contact list is as it was written, and the list what its history comes to.

`verify` is pure: it walks acts and entries in the order of their destinations and keeps no more of them than those of
one destination. `verify_list` reads them from a database, in one transaction, so that it looks at one moment.

What it can find: an act that was changed, slipped in, taken out of the middle or put elsewhere (`chain.py`); an entry
that no act put on the list, an act whose entry is not on it, an entry that says something else than its act. What it
cannot find in the database alone is an end of a history that was cut off together with its entry. For that there is
the seal: a digest over the last hashes of all destinations up to an act, to be written down elsewhere. Acts that came
later do not change it, so it can be compared for years.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, func, select

from tactful.engine.optout.chain import chained
from tactful.engine.store.statements import BLOCK, BLOCK_ACT

MOST_FAULTS = 1_000
"""How many faults are told one by one; all are counted."""

What = Literal["broken", "missing", "unfounded", "changed"]
"""`broken`: an act does not follow from the one before it. `missing`: an entry that its history has put on the list is
not on it. `unfounded`: an entry that no act put there. `changed`: an entry says something else than its act."""


class Seal(NamedTuple):
    """A digest over the history up to an act. Written `1204:3f…`."""

    until: int
    digest: str

    def __str__(self) -> str:
        return f"{self.until}:{self.digest}"

    @classmethod
    def read(cls, text: str) -> Seal | None:
        """The seal of a text; None where it is none."""
        found = re.fullmatch(r"\s*([0-9]{1,18}):([0-9a-fA-F]{64})\s*", text, re.ASCII)
        return None if found is None else cls(int(found[1]), found[2].lower())


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it was written. `act` is the number of the act it is about, None for an entry without
    one; `at` is what that act, or the entry, says of when it was."""

    what: What
    destination: str
    act: int | None
    at: Any
    says: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What a walk came to. `faults` are the first of `wrong`. `seal` is over all acts; `as_sealed` says whether the
    history is still as a seal has it, None where there was none to compare with."""

    acts: int
    destinations: int
    entries: int
    wrong: int
    faults: tuple[Fault, ...]
    seal: Seal
    as_sealed: bool | None = None


class _Act(NamedTuple):
    """An act as it is kept, in the order in which it is chained; then its hash and its number."""

    destination: str
    channel: str
    sender: str
    covers: str
    act: str
    source: str
    reason: str | None
    at: int
    evidence: str | None
    hash: str
    id: int


def verify(acts: Iterable[Any], entries: Iterable[Any], sealed: Seal | None = None) -> Verified:
    """Walk a history. `acts` are rows of `_Act`, by destination and number; `entries` rows of destination, channel,
    sender, covers, source, reason and since, by destination; both in the order of the destinations' UTF-8."""
    walk = _Walk(sealed)
    listed = _Groups(entries)
    group: list[Any] = []
    for row in acts:
        if group and group[0][0] != row[0]:
            walk.destination(group, listed.up_to(group[0][0], walk.unfounded))
            group = []
        group.append(row)
    if group:
        walk.destination(group, listed.up_to(group[0][0], walk.unfounded))
    listed.rest(walk.unfounded)
    return walk.verified(listed.count)


class _Walk:
    """One walk through a history."""

    def __init__(self, sealed: Seal | None) -> None:
        self._sealed = sealed
        self._acts = 0
        self._destinations = 0
        self._last = 0
        self._all = sha256()
        self._then = sha256()
        self._wrong = 0
        self._faults: list[Fault] = []

    def destination(self, acts: list[Any], entries: list[Any]) -> None:
        """Look at all acts on a destination and its entries."""
        self._acts += len(acts)
        self._destinations += 1
        until = 0 if self._sealed is None else self._sealed.until
        before = then = ""
        broken: Any = None
        standing: dict[tuple[Any, ...], Any] = {}
        for row in acts:
            head = row[9]
            if broken is None:
                try:
                    if chained(before, *row[:9]) != head:
                        broken = row
                except TypeError:  # a value of a kind that was never written
                    broken = row
            before = head
            if row[10] <= until:
                then = head
            if row[4] == "block":
                standing.setdefault(row[1:4], row)
            else:
                standing.pop(row[1:4], None)
        self._last = max(self._last, acts[-1][-1])
        self._all.update(_head(acts[0][0], before))
        if then:
            self._then.update(_head(acts[0][0], then))
        if broken is not None:
            self._broken(_Act(*broken), first=broken is acts[0])
        self._compare(standing, entries)

    def _broken(self, act: _Act, *, first: bool) -> None:
        what = f"act {act.id} ({act.act} for {_named(act[1:4])}, {act.source}) is not what was written"
        before = "the first act on this destination was taken out" if first else "one before it was taken out or moved"
        self._found("broken", act.destination, act.id, act.at, f"{what}, or {before}")

    def _compare(self, standing: dict[tuple[Any, ...], Any], entries: list[Any]) -> None:
        there = {entry[1:4]: entry for entry in entries}
        for key, row in standing.items():
            entry = there.pop(key, None)
            if entry is not None and entry[4:] == row[5:8]:
                continue
            act = _Act(*row)
            if entry is None:
                says = f"act {act.id} put {_named(key)} on the list, and it is not there"
                self._found("missing", act.destination, act.id, act.at, says)
            else:
                pairs = (("source", entry[4], act.source), ("reason", entry[5], act.reason), ("time", entry[6], act.at))
                other = ", ".join(f"{name} {is_now!r}, not {was!r}" for name, is_now, was in pairs if is_now != was)
                says = f"the entry for {_named(key)} says {other} as act {act.id} has it"
                self._found("changed", act.destination, act.id, act.at, says)
        for entry in there.values():
            self.unfounded(entry)

    def unfounded(self, entry: Any) -> None:
        """Take note of an entry that no act put on the list."""
        says = f"no act put the entry for {_named(entry[1:4])} on the list"
        self._found("unfounded", entry[0], None, entry[6], says)

    def _found(self, what: What, destination: Any, act: int | None, at: Any, says: str) -> None:
        self._wrong += 1
        if len(self._faults) < MOST_FAULTS:
            self._faults.append(Fault(what, str(destination), act, at, says))

    def verified(self, entries: int) -> Verified:
        """What the walk came to."""
        as_sealed = None if self._sealed is None else self._then.hexdigest() == self._sealed.digest
        seal = Seal(self._last, self._all.hexdigest())
        faults = tuple(self._faults)
        return Verified(self._acts, self._destinations, entries, self._wrong, faults, seal, as_sealed)


class _Groups:
    """Entries taken destination by destination, beside the acts."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self._rows = iter(rows)
        self._next = next(self._rows, None)
        self.count = 0

    def up_to(self, destination: Any, passed: Callable[[Any], None]) -> list[Any]:
        """The entries of a destination. Those of destinations before it, which have no acts, go to `passed`."""
        found: list[Any] = []
        while self._next is not None:
            if self._next[0] == destination:
                found.append(self._take())
            elif _order(self._next[0]) < _order(destination):
                passed(self._take())
            else:
                break
        return found

    def rest(self, passed: Callable[[Any], None]) -> None:
        """All that come after the last destination with acts."""
        while self._next is not None:
            passed(self._take())

    def _take(self) -> Any:
        taken, self._next = self._next, next(self._rows, None)
        self.count += 1
        return taken


def _order(destination: Any) -> tuple[bool, Any]:
    """SQLite puts texts before bytes, and texts in the order of their code points."""
    return not isinstance(destination, str), destination


def _head(destination: Any, head: Any) -> bytes:
    return f"{destination}\0{head}\n".encode()


def _named(entry: Any) -> str:
    channel, sender, covers = entry
    by = "any channel" if channel == "all" else channel
    return f"{covers} by {by}, from {sender or 'any sender'}"


# --- Reading -------------------------------------------------------------------------------------

_PAGE = 5_000


def count_acts(tx: Connection) -> int:
    """How many acts there are to walk through."""
    return int(tx.scalar(select(func.count()).select_from(BLOCK_ACT)) or 0)


def verify_list(
    tx: Connection, sealed: Seal | None = None, came: Callable[[int], None] = lambda done: None
) -> Verified:
    """Walk the whole history of a database, and compare the list. `came` is called with the number of acts done."""
    acts = select(*(BLOCK_ACT.c[name] for name in _Act._fields))
    acts = acts.order_by(_in_order(tx, BLOCK_ACT.c.destination), BLOCK_ACT.c.id)
    columns = ("destination", "channel", "sender", "covers", "source", "reason", "since")
    entries = select(*(BLOCK.c[name] for name in columns)).order_by(_in_order(tx, BLOCK.c.destination))
    return verify(_streamed(tx, acts, came), _streamed(tx, entries), sealed)


def _in_order(tx: Connection, destination: ColumnElement[str]) -> ColumnElement[str]:
    """In the order of the code points, by which Python compares as well: the order of a language is another."""
    return destination if tx.dialect.name == "sqlite" else destination.collate("C")


def _streamed(tx: Connection, statement: Select[Any], came: Callable[[int], None] = lambda done: None) -> Iterator[Any]:
    """Rows a page at a time, of which there may be very many."""
    done = 0
    rows = tx.execute(statement, execution_options={"stream_results": True, "max_row_buffer": _PAGE})
    while page := rows.fetchmany(_PAGE):
        yield from page
        done += len(page)
        came(done)
