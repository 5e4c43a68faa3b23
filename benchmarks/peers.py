"""What is common instead: an APScheduler job for each contact, as one writes it first.

The application keeps its journeys in SQLite by plain statements, one contact a transaction, and gives the waiting to
APScheduler: a date job for each, removed where the contact opened.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler

from benchmarks import journey, peer_procrastinate
from benchmarks.databases import Kind
from benchmarks.figures import Chapter, Figure
from benchmarks.scale import Scale

SCHEMA = """
pragma journal_mode = wal;
create table journey (contact integer primary key, state text);
create table message (contact integer primary key, state text);
create table block (address text primary key, since text);
"""


def peers(scale: Scale, kinds: Sequence[Kind]) -> Chapter:
    """The same journey in the naive way, and on tactful, in turns."""
    stores: dict[str, Callable[[str], Any]] = {
        "jobs in memory": lambda _: MemoryJobStore(),
        "jobs in SQLite": lambda folder: SQLAlchemyJobStore(f"sqlite:///{folder}/jobs.db"),
    }
    costs: dict[str, list[float]] = {name: [] for name in ("tactful", *stores)}
    for _ in range(min(3, scale.rounds)):
        costs["tactful"].append(_on_tactful(kinds[0], scale.peers))
        for name, store in stores.items():
            with TemporaryDirectory() as folder:
                costs[name].append(_naive(folder, store(folder), scale.peers))
    figures = [Figure("tactful, on SQLite", median(costs["tactful"]), "µs a contact")]
    figures += [
        Figure(f"APScheduler, a job for each contact, {name}", median(costs[name]), "µs a contact") for name in stores
    ]
    figures += [figure for kind in kinds[1:] for figure in _on_postgresql(kind, scale)]
    said = (
        f"{scale.peers:,} contacts on the standard journey. The naive way keeps neither visits, events nor evidence, "
        "and in memory it forgets who waits when the process ends."
    )
    return Chapter("Beside a job for each contact", figures, said)


def _on_postgresql(kind: Kind, scale: Scale) -> list[Figure]:
    rounds = range(min(3, scale.rounds))
    try:
        jobs = [(peer_procrastinate.naive(kind, scale.peers), _on_tactful(kind, scale.peers)) for _ in rounds]
    except ImportError:
        return []
    theirs, ours = (median(costs) for costs in zip(*jobs, strict=True))
    return [
        Figure("tactful, on PostgreSQL", ours, "µs a contact"),
        Figure("Procrastinate, a job for each contact", theirs, "µs a contact"),
    ]


def _on_tactful(kind: Kind, contacts: int) -> float:
    url = kind.new()
    with closing(journey.open_with(url, journey.FLOW)) as engine:
        journey.bring(engine, contacts)
        cost = journey.run(engine, contacts, spent=kind.processor_time).whole
    kind.drop(url)
    return cost


class Naive:
    """The application around the scheduler."""

    def __init__(self, path: Path) -> None:
        self.database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.database.executescript(SCHEMA)
        self.late = 0
        self._lock = threading.Lock()

    def enter(self, contact: int) -> None:
        self._do(
            ("insert into journey values (?, 'waits')", contact), ("insert into message values (?, 'sent')", contact)
        )

    def opened(self, contact: int) -> None:
        self._do(("update journey set state = 'opened' where contact = ?", contact))

    def timed_out(self, contact: int) -> None:
        self._do(
            ("update journey set state = 'unopened' where contact = ?", contact),
            ("insert into block values ('c' || ? || '@example.com', '2026')", contact),
        )
        self.late += 1

    def _do(self, *statements: tuple[str, int]) -> None:
        with self._lock:
            self.database.execute("begin immediate")
            for sql, contact in statements:
                self.database.execute(sql, (contact,))
            self.database.execute("commit")


_naive_now: list[Naive] = []  # jobs that are kept in a database are called by name


def _time_out(contact: int) -> None:
    _naive_now[-1].timed_out(contact)


def _naive(folder: str, store: Any, contacts: int) -> float:
    """Microseconds of processor time a contact."""
    naive = Naive(Path(folder, "app.db"))
    _naive_now.append(naive)
    scheduler = BackgroundScheduler(
        timezone=UTC, jobstores={"default": store}, job_defaults={"misfire_grace_time": None, "max_instances": 1000}
    )
    scheduler.start(paused=True)
    late = contacts - -(-contacts // 4)
    began = process_time()
    due = datetime.now(UTC) + timedelta(days=1)
    for contact in range(contacts):
        naive.enter(contact)
        scheduler.add_job(_time_out, "date", run_date=due, args=(contact,), id=str(contact))
    for contact in range(0, contacts, 4):
        scheduler.remove_job(str(contact))
        naive.opened(contact)
    spent = process_time() - began
    # The day passes: it has no clock of its own to set, so all are made due now, which is not counted.
    now = datetime.now(UTC)
    for job in store.get_all_jobs():
        job._modify(next_run_time=now)
        store.update_job(job)
    began = process_time()
    scheduler.resume()
    patience = threading.Event()
    while naive.late < late:
        patience.wait(0.02)
    spent += process_time() - began
    scheduler.shutdown()
    naive.database.close()
    _naive_now.pop()
    return spent * 1e6 / contacts
