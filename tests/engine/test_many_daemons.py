"""Several daemons on one database share the work, and any of them may die, freeze or lose its line at any time.

What must hold at the end is what holds for one: every contact went exactly the way they should have, no message is
missing, and the only repeats are of messages recorded as unknown.
"""

from __future__ import annotations

import random
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from tests.engine.test_kill import CLOCK, OPENED, UNOPENED, Mailbox, Project, _key, mailbox

from tactful.engine.workers import LEASE_MS

if TYPE_CHECKING:
    from tests.conftest import Server

__all__ = ["mailbox"]  # the fixture

Opened = Callable[[Project], Project]

FROZEN_SECONDS = LEASE_MS / 1000 + 2


class Fleet:
    """Daemons on one project, and what befalls them."""

    def __init__(self, project: Project, database: str, size: int) -> None:
        self.project = project
        self._database = database.replace("postgresql+psycopg://", "postgresql://")
        self.daemons = [project.daemon() for _ in range(size)]

    def kill(self, number: int) -> None:
        """One dies, and another is started in its place."""
        self.daemons[number].send_signal(signal.SIGKILL)
        self.daemons[number].communicate()
        self.daemons[number] = self.project.daemon()

    def freeze(self, number: int) -> None:
        """One stands still for longer than the others think it alive, and wakes in the middle of what it did."""
        self.daemons[number].send_signal(signal.SIGSTOP)
        self._let_pass(FROZEN_SECONDS)
        self.daemons[number].send_signal(signal.SIGCONT)

    def cut(self, number: int) -> None:
        """All lines to the database break, whosever they are."""
        with psycopg.connect(self._database, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        self.project.engine.store.engine.dispose()

    def run(self, seconds: float) -> None:
        """Until every journey has ended."""
        give_up_at = CLOCK.monotonic() + seconds
        while self.project.states()["active"]:
            assert CLOCK.monotonic() < give_up_at, f"journeys do not end: {self.project.states()}"
            self._let_pass(0.2)
            self.project.open_some()

    def stop(self) -> None:
        """All end cleanly."""
        for daemon in self.daemons:
            daemon.send_signal(signal.SIGTERM)
        said = [daemon.communicate(timeout=60)[1] for daemon in self.daemons]
        assert [daemon.returncode for daemon in self.daemons] == [0] * len(self.daemons), "\n\n".join(said)

    def _let_pass(self, seconds: float) -> None:
        awake = next(daemon for daemon in self.daemons if daemon.poll() is None)
        try:
            awake.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return
        raise AssertionError("a daemon ended by itself")


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Projects whose engines are closed when the test ends."""
    projects: list[Project] = []

    def keep(project: Project) -> Project:
        projects.append(project)
        return project

    yield keep
    for project in projects:
        project.engine.close()


@pytest.mark.parametrize(
    ("people", "faults"),
    [(150, ["kill", "cut", "freeze", "kill", "cut"]), pytest.param(3_000, None, marks=pytest.mark.full)],
    ids=["small", "full"],
)
def test_whatever_befalls_them_nothing_is_missing(
    tmp_path: Path,
    mailbox: tuple[Mailbox, int],
    postgresql: Server,
    opened: Opened,
    people: int,
    faults: list[str] | None,
) -> None:
    box, port = mailbox
    database = postgresql.new_database()
    project = opened(Project(tmp_path, port, "at_least_once", database))
    project.begin(people)
    fleet = Fleet(project, database, 3)
    chance = random.Random(people)
    for fault in faults or chance.choices(["kill", "cut", "freeze"], [6, 3, 1], k=40):
        getattr(fleet, fault)(chance.randrange(3))
        fleet._let_pass(chance.uniform(0, 0.5))
        project.open_some()
    fleet.run(seconds=180)
    fleet.stop()

    paths = project.paths()
    assert len(paths) == people
    assert [path for path in paths if path not in (OPENED, UNOPENED)] == []
    assert project.blocked() == paths.count(UNOPENED)
    messages = project.messages()
    assert {state for _, state, _ in messages} == {"sent"}
    by_key = Counter({_key(id): n for id, n in box.taken.items()})
    assert [key for key, _, _ in messages if by_key[key] == 0] == [], "no message is missing"
    assert [key for key, _, unknowns in messages if by_key[key] > 1 + unknowns] == [], "only unknown ones are repeated"


def test_a_crowd_is_shared_by_all_of_them(
    tmp_path: Path, mailbox: tuple[Mailbox, int], postgresql: Server, opened: Opened
) -> None:
    box, port = mailbox
    database = postgresql.new_database()
    project = opened(Project(tmp_path, port, "at_least_once", database))
    fleet = Fleet(project, database, 2)
    project.begin(300)
    fleet.run(seconds=120)
    fleet.stop()
    assert project.states() == {"done": 300}
    assert set(box.taken.values()) == {1}, "nothing is sent twice"
    with project.engine.store.read() as tx:
        workers = {row[0] for row in tx.exec_driver_sql("select distinct worker from message")}
    assert len(workers) == 2, "both sent"
