"""The floor: the same rows as the standard journey writes, by plain statements of the driver in batches of a thousand:
`executemany` on SQLite, one statement over arrays on PostgreSQL.

Nothing is decided here and nothing is read that is not written again: what the engine costs beyond this is what it
costs to be one. It also fills databases for the other benchmarks, faster than the engine would.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Any

from benchmarks.databases import Kind
from benchmarks.journey import DAY, NOW, PHASES, SENDER, Costs
from benchmarks.progress import written
from tactful.engine.host import BATCH

Rows = Iterable[tuple[Any, ...]]
Writes = list[tuple[str, Rows]]

CONTACT = """insert into contact (id, key, email, attributes, tags, created_at, changed_at)
    values (?n, ?t, ?t, '{}', '[]', ?n, ?n)"""
BEGAN = """insert into event (id, contact, name, at, learnt_at, data, used)
    values (?n, ?n, 'began', ?n, ?n, '{"value":35}', 0)"""
ENTER = """insert into journey (id, contact, flow, version, entry_number, state, element, step, entered_at, arrived_at,
    since, entry) values (?n, ?n, 1, 1, 1, 'active', 'offer', 1, ?n, ?n, ?n, ?t)"""
QUEUE = """insert into message
    (journey, step, contact, element, channel, sender, purpose, state, due_at, tries, unknowns)
    values (?n, 1, ?n, 'offer', 'email', ?t, 'marketing', 'queued', ?n, 0, 0)"""
TAKE = """update message set state = 'sending', due_at = null, destination = ?t, taken_at = ?n, tries = 1
    where journey = ?n and step = 1"""
SENT = "update message set state = 'sent', sent_at = ?n where journey = ?n and step = 1"
WAIT = "update journey set element = 'opened', step = 2, arrived_at = ?n, due_at = ?n where id = ?n"
OPENED = """insert into event (id, contact, name, at, learnt_at, message_journey, message_step, used)
    values (?n, ?n, 'opened', ?n, ?n, ?n, 1, 1)"""
END = "update journey set state = 'done', element = null, step = ?n, due_at = null, ended_at = ?n where id = ?n"
VISIT = """insert into visit (journey, contact, step, element, exit, arrived_at, left_at)
    values (?n, ?n, ?n, ?t, ?t, ?n, ?n)"""
BLOCK = """insert into block (destination, channel, sender, covers, source, since)
    values (?t, 'email', '', 'marketing', ?t, ?n)"""
ACT = """insert into block_act (destination, channel, sender, covers, act, source, at, evidence, hash)
    values (?t, 'email', '', 'marketing', 'block', ?t, ?n, ?t, ?t)"""

EVIDENCE = '{"flow":"standard","version":1,"element":"unopened","journey":1,"step":3,"contact":"c1"}'
SOURCE = "flow standard, element unopened"
HASH = "0" * 64

AT_A_TIME = 50_000
"""Contacts whose rows are made at a time: they are made before the clock starts, and must fit into memory."""

STEPS = 20
"""In how many steps a database grows."""


class Floor:
    """Plain statements on a database with the engine's own schema, in which the flow `standard` is published."""

    def __init__(self, kind: Kind, url: str) -> None:
        self._kind = kind
        self._connection = kind.connect(url)
        self._cursor = self._connection.cursor()

    def run(self, contacts: int, behind: int = 0) -> Costs:
        """Take the contacts `behind + 1` … `behind + contacts` through the whole journey. Only this is measured."""
        spent = dict.fromkeys(PHASES, 0.0)
        for everybody in self._all_of(contacts, behind):
            self._write([_contacts(everybody)])
            for phase, writes in zip(PHASES, list(_steps(everybody, self._newest_event(), NOW, 0)), strict=True):
                began = self._kind.processor_time()
                self._write(writes)
                spent[phase] += self._kind.processor_time() - began
        return Costs({phase: seconds * 1e6 / contacts for phase, seconds in spent.items()})

    def wait(self, contacts: int, behind: int = 0, *, sent_at: int = NOW, apart: int = 0) -> None:
        """Let the contacts `behind + 1` … `behind + contacts` wait for `opened`: contact n is due a day and `n * apart`
        milliseconds after `sent_at`."""
        for everybody in self._all_of(contacts, behind):
            self._write([_contacts(everybody)])
            for writes in islice(_steps(everybody, self._newest_event(), sent_at, apart), 3):
                self._write(writes)

    def clean(self) -> None:
        """Let the database clean up where it would by itself by now."""
        self._kind.clean(self._connection)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _all_of(self, contacts: int, behind: int) -> Iterator[range]:
        for done in range(0, contacts, AT_A_TIME):
            some = min(AT_A_TIME, contacts - done)
            yield range(behind + done + 1, behind + done + some + 1)
            written(done, done + some, contacts)

    def _newest_event(self) -> int:
        self._cursor.execute("select coalesce(max(id), 0) from event")
        return int(self._cursor.fetchone()[0])

    def _write(self, writes: Writes) -> None:
        """Write the rows of all statements, a thousand of each in a transaction."""
        left = [(sql, iter(rows)) for sql, rows in writes]
        while True:
            some = [(sql, list(islice(rows, BATCH))) for sql, rows in left]
            if not any(rows for _, rows in some):
                return
            self._cursor.execute("begin")
            for sql, rows in some:
                if rows:
                    self._kind.write(self._cursor, sql, rows)
            self._cursor.execute("commit")


def fill(kind: Kind, url: str, contacts: int, **due: int) -> None:
    """Let contacts wait for `opened` in a database that is laid out (see `Floor.wait`), all put in at once."""
    with closing(Floor(kind, url)) as floor:
        floor.wait(contacts, **due)


def grow(kind: Kind, url: str, contacts: int, apart: int) -> None:
    """The same as a database comes by them: some and some more, and its own cleaning has its turn in between."""
    with closing(Floor(kind, url)) as floor:
        for step in range(STEPS):
            behind, now = contacts * step // STEPS, contacts * (step + 1) // STEPS
            floor.wait(now - behind, behind, apart=apart)
            floor.clean()
            written(behind, now, contacts)


def _contacts(everybody: Sequence[int]) -> tuple[str, Rows]:
    return (CONTACT, [(n, f"c{n}", f"c{n}@example.com", NOW, NOW) for n in everybody])


def _steps(everybody: Sequence[int], event: int, at: int, apart: int) -> Iterator[Writes]:
    """What is written at each step of the way, phase by phase. `event` is the newest there is."""
    first = everybody[0]
    opened = everybody[::4]
    late = [n for n in everybody if (n - first) % 4]
    entry = '["began",%d,%d,{"value":35}]'
    yield [
        (BEGAN, [(event + 1 + n - first, n, at, at) for n in everybody]),
        (ENTER, [(n, n, at, at, event + 1 + n - first, entry % (at, event + 1 + n - first)) for n in everybody]),
        (QUEUE, [(n, n, SENDER, at) for n in everybody]),
    ]
    yield [(TAKE, [(f"c{n}@example.com", at, n) for n in everybody])]
    yield [
        (SENT, [(at, n) for n in everybody]),
        (WAIT, [(at, at + DAY + n * apart, n) for n in everybody]),
        (VISIT, [(n, n, 1, "offer", "sent", at, at) for n in everybody]),
    ]
    event += len(everybody) + 1
    yield [
        (OPENED, [(event + number, n, at, at, n) for number, n in enumerate(opened)]),
        (END, [(2, at, n) for n in opened]),
        (VISIT, [(n, n, 2, "opened", "happened", at, at) for n in opened]),
    ]
    yield [
        (END, [(3, at + DAY, n) for n in late]),
        (VISIT, [(n, n, 2, "opened", "timed_out", at, at + DAY) for n in late]),
        (VISIT, [(n, n, 3, "unopened", "done", at + DAY, at + DAY) for n in late]),
        (BLOCK, [(f"c{n}@example.com", SOURCE, at + DAY) for n in late]),
        (ACT, [(f"c{n}@example.com", SOURCE, at + DAY, EVIDENCE, HASH) for n in late]),
    ]
