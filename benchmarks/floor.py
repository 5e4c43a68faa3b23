"""The floor: the same rows as the standard journey writes, by plain statements of the driver in batches of a thousand.

Nothing is decided here and nothing is read that is not written again: what the engine costs beyond this is what it
costs to be one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from time import process_time
from typing import Any

from benchmarks.journey import DAY, NOW, SENDER
from tactful.engine.host import BATCH
from tactful.engine.store.sqlite import SqliteStore

Rows = Iterable[tuple[Any, ...]]

CONTACT = """insert into contact (id, key, email, attributes, tags, created_at, changed_at)
    values (?, ?, ?, '{}', '[]', ?, ?)"""
BEGAN = """insert into event (id, contact, name, at, learnt_at, data, used)
    values (?, ?, 'began', ?, ?, '{"value":35}', 0)"""
ENTER = """insert into journey (id, contact, flow, version, entry_number, state, element, step, entered_at, arrived_at,
    since, entry) values (?, ?, 1, 1, 1, 'active', 'offer', 1, ?, ?, ?, ?)"""
QUEUE = """insert into message
    (journey, step, contact, element, channel, sender, purpose, state, due_at, tries, unknowns)
    values (?, 1, ?, 'offer', 'email', ?, 'marketing', 'queued', ?, 0, 0)"""
TAKE = """update message set state = 'sending', due_at = null, destination = ?, taken_at = ?, tries = 1
    where journey = ? and step = 1"""
SENT = "update message set state = 'sent', sent_at = ? where journey = ? and step = 1"
WAIT = "update journey set element = 'opened', step = 2, arrived_at = ?, due_at = ? where id = ?"
OPENED = """insert into event (contact, name, at, learnt_at, message_journey, message_step, used)
    values (?, 'opened', ?, ?, ?, 1, 1)"""
END = "update journey set state = 'done', element = null, step = ?, due_at = null, ended_at = ? where id = ?"
VISIT = "insert into visit (journey, step, element, exit, arrived_at, left_at) values (?, ?, ?, ?, ?, ?)"
BLOCK = """insert into block (destination, channel, sender, covers, source, since)
    values (?, 'email', '', 'marketing', ?, ?)"""
ACT = """insert into block_act (destination, channel, sender, covers, act, source, at, evidence, hash)
    values (?, 'email', '', 'marketing', 'block', ?, ?, ?, ?)"""

ENTRY = f'["began",{NOW},1,{{"value":35}}]'
EVIDENCE = '{"flow":"standard","version":1,"element":"unopened","journey":1,"step":3,"contact":"c1"}'
SOURCE = "flow standard, element unopened"
HASH = "0" * 64


def run(path: Path, contacts: int) -> float:
    """Microseconds of processor time a contact, in a new database of the engine's own schema."""
    store = SqliteStore(f"sqlite:///{path}")
    store.upgrade()
    store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for setting in ("journal_mode=wal", "synchronous=full", "cache_size=-65536"):
            database.execute(f"pragma {setting}")
        everybody = range(1, contacts + 1)
        _write(database, [(CONTACT, ((n, f"c{n}", f"c{n}@example.com", NOW, NOW) for n in everybody))])
        steps = list(_steps(everybody))
        began = process_time()
        for writes in steps:
            _write(database, writes)
        return (process_time() - began) * 1e6 / contacts


def _steps(everybody: Sequence[int]) -> Iterator[list[tuple[str, Rows]]]:
    """What is written at each step of the way, side by side; all of it is made before the clock starts."""
    opened = everybody[::4]
    late = [n for n in everybody if n % 4 != everybody[0] % 4]
    yield [
        (BEGAN, [(n, n, NOW, NOW) for n in everybody]),
        (ENTER, [(n, n, NOW, NOW, n, ENTRY) for n in everybody]),
        (QUEUE, [(n, n, SENDER, NOW) for n in everybody]),
    ]
    yield [(TAKE, [(f"c{n}@example.com", NOW, n) for n in everybody])]
    yield [
        (SENT, [(NOW, n) for n in everybody]),
        (WAIT, [(NOW, NOW + DAY, n) for n in everybody]),
        (VISIT, [(n, 1, "offer", "sent", NOW, NOW) for n in everybody]),
    ]
    yield [
        (OPENED, [(n, NOW, NOW, n) for n in opened]),
        (END, [(2, NOW, n) for n in opened]),
        (VISIT, [(n, 2, "opened", "happened", NOW, NOW) for n in opened]),
    ]
    yield [
        (END, [(3, NOW + DAY, n) for n in late]),
        (VISIT, [(n, 2, "opened", "timed_out", NOW, NOW + DAY) for n in late]),
        (VISIT, [(n, 3, "unopened", "done", NOW + DAY, NOW + DAY) for n in late]),
        (BLOCK, [(f"c{n}@example.com", SOURCE, NOW + DAY) for n in late]),
        (ACT, [(f"c{n}@example.com", SOURCE, NOW + DAY, EVIDENCE, HASH) for n in late]),
    ]


def _write(database: sqlite3.Connection, writes: Sequence[tuple[str, Rows]]) -> None:
    """Write the rows of all statements, a thousand of each in a transaction."""
    left = [(sql, iter(rows)) for sql, rows in writes]
    while True:
        some = [(sql, list(islice(rows, BATCH))) for sql, rows in left]
        if not any(rows for _, rows in some):
            return
        database.execute("begin immediate")
        for sql, rows in some:
            database.executemany(sql, rows)
        database.execute("commit")
