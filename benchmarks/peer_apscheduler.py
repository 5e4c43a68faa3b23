"""APScheduler: a date job for each contact, as one writes it first, removed where the contact opened.

The application keeps its journeys in SQLite, in one file; the jobs are in memory, or in SQLite as well.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import TYPE_CHECKING, Any

from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler

from benchmarks.application import COUNTS, ENTERED, OPENED, TABLES, TIMED_OUT, ended

if TYPE_CHECKING:
    from collections.abc import Callable

STORES: dict[str, Callable[[str], Any]] = {
    "jobs in memory": lambda _: MemoryJobStore(),
    "jobs in SQLite": lambda folder: SQLAlchemyJobStore(f"sqlite:///{folder}/jobs.db"),
}
NAME = "APScheduler, a job for each contact"


class _Application:
    def __init__(self, path: Path) -> None:
        self.database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.database.execute("pragma journal_mode = wal")
        for sql in TABLES:
            self.database.execute(sql)
        self.late = 0
        self._lock = threading.Lock()

    def enter(self, contact: int) -> None:
        self._do(ENTERED, contact)

    def opened(self, contact: int) -> None:
        self._do(OPENED, contact)

    def timed_out(self, contact: int) -> None:
        self._do(TIMED_OUT, contact)
        self.late += 1

    def close(self) -> None:
        self.database.close()

    def _do(self, statements: tuple[str, ...], contact: int) -> None:
        with self._lock:
            self.database.execute("begin immediate")
            for sql in statements:
                self.database.execute(sql.replace("%s", "?"), (contact,))
            self.database.execute("commit")


_running: list[_Application] = []  # jobs that are kept in a database are called by name


def _time_out(contact: int) -> None:
    _running[-1].timed_out(contact)


def naive(jobs: str, contacts: int) -> float:
    """Microseconds of processor time a contact. `jobs` says where they are: one of STORES."""
    with TemporaryDirectory() as folder, closing(_Application(Path(folder, "app.db"))) as application:
        _running.append(application)
        spent = _run(application, STORES[jobs](folder), contacts)
        _running.pop()
        found = application.database.execute(COUNTS).fetchone()
        assert found == ended(contacts), found
    return spent * 1e6 / contacts


def _run(application: _Application, store: Any, contacts: int) -> float:
    scheduler = BackgroundScheduler(
        timezone=UTC, jobstores={"default": store}, job_defaults={"misfire_grace_time": None, "max_instances": 1000}
    )
    scheduler.start(paused=True)
    late = ended(contacts)[1]
    began = process_time()
    due = datetime.now(UTC) + timedelta(days=1)
    for contact in range(contacts):
        application.enter(contact)
        scheduler.add_job(_time_out, "date", run_date=due, args=(contact,), id=str(contact))
    for contact in range(0, contacts, 4):
        scheduler.remove_job(str(contact))
        application.opened(contact)
    spent = process_time() - began
    # The day passes: it has no clock of its own to set, so all are made due now, which is not counted.
    now = datetime.now(UTC)
    for job in store.get_all_jobs():
        job._modify(next_run_time=now)
        store.update_job(job)
    began = process_time()
    scheduler.resume()
    patience = threading.Event()
    while application.late < late:
        patience.wait(0.02)
    spent += process_time() - began
    scheduler.shutdown()
    return spent
