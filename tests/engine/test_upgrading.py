"""A database of an older version: who brings it up to date, and what becomes of those who work on it."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import make_url, text

from tactful.engine import switches
from tactful.engine.cli.opening import the_brake
from tactful.engine.clock import SetClock, SystemClock
from tactful.engine.compose import open_engine
from tactful.engine.daemon import Daemon
from tactful.engine.project import Project, load_project
from tactful.engine.running import AlreadyRunning, only_one
from tactful.engine.store.database import IN_MEMORY, Store, StoreError, WrongSchema, open_store
from tactful.engine.store.migrations import newest, schema_of
from tactful.engine.upgrading import SchemaWatch, bring_up_to_date, is_behind
from tactful.engine.workers import LEASE_MS, Worker, at_work

if TYPE_CHECKING:
    from tests.conftest import Server

CLOCK = SystemClock()
TACTFUL = Path(sys.executable).with_name("tactful")
OLDER = "0005"  # the step from it lays an index anew, whatever it finds
AWAY, BACK = "the database cannot be used", "the database can be used again"
NO_FLOWS = "senders: {}\n"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """A database of the newest schema."""
    opened = open_store(url)
    opened.lay_out()
    yield opened
    opened.close()


@pytest.fixture
def older(store: Store) -> Store:
    """The same of an older schema."""
    marked(store, OLDER)
    return store


def marked(store: Store, schema: str) -> None:
    with store.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = :schema"), {"schema": schema})


def project_on(url: str, folder: Path, more: str = "") -> Project:
    (folder / "tactful.yaml").write_text(f"database: {url}\n{more}", encoding="utf-8")
    project, problems = load_project(folder / "tactful.yaml")
    assert project is not None, [problem.render() for problem in problems]
    return project


def never(has: str, newest: str) -> None:
    raise AssertionError("nothing begins")


# --- bringing it up to date


def test_an_older_database_is_brought_up_to_date_once(older: Store) -> None:
    began: list[tuple[str, str]] = []
    assert is_behind(older)
    bring_up_to_date(older, CLOCK, lambda *schemas: began.append(schemas))
    assert began == [(OLDER, newest())]
    assert schema_of(older) == newest()
    assert not is_behind(older)
    bring_up_to_date(older, CLOCK, never)


def test_a_new_database_is_not_behind(tmp_path: Path) -> None:
    for url in (IN_MEMORY, f"sqlite:///{tmp_path / 'new.db'}"):
        with closing(open_store(url)) as store:
            assert not is_behind(store)
    assert list(tmp_path.iterdir()) == [], "to ask makes none"


def test_whoever_opens_an_older_database_leaves_it_as_it_is(older: Store, url: str) -> None:
    with pytest.raises(WrongSchema, match=f"older tactful .{OLDER}; this one knows {newest()}.; `tactful serve`"):
        open_engine(url)
    assert schema_of(older) == OLDER


def test_the_brake_works_on_an_older_database(older: Store, url: str, tmp_path: Path) -> None:
    project = project_on(url, tmp_path, "secret: {env: NOT_SET}\n")
    with the_brake(project) as store, store.write() as tx:
        switches.halt(tx, CLOCK.now(), None)
    with the_brake(project) as store, store.write() as tx:
        assert switches.resume_sending(tx)
    assert schema_of(older) == OLDER


def test_nobody_brings_a_database_up_to_date_that_a_daemon_works_on(postgresql: Server) -> None:
    clock = SetClock(CLOCK.now())
    with closing(open_store(postgresql.new_database())) as store:
        marked(store, OLDER)
        worker = Worker(store, clock, "harbour 4711")
        worker.join()
        with pytest.raises(AlreadyRunning, match=r"still works there \(harbour 4711\); stop it first"):
            bring_up_to_date(store, clock, never)
        assert schema_of(store) == OLDER
        clock.set(clock.now() + LEASE_MS + 1)
        bring_up_to_date(store, clock, lambda *_: None)
        assert schema_of(store) == newest()


def test_another_programs_database_on_a_server(postgresql: Server) -> None:
    with closing(open_store(postgresql.new_database())) as store:
        with store.write() as tx:
            tx.execute(text("DROP SCHEMA public CASCADE"))
            tx.execute(text("CREATE SCHEMA public"))
            tx.execute(text("CREATE TABLE invoice (id integer)"))
        with pytest.raises(StoreError, match=r"\(it holds invoice\); name a database of its own"):
            store.lay_out()


def test_there_was_a_time_before_daemons_said_that_they_work(postgresql: Server) -> None:
    with closing(open_store(postgresql.new_database())) as store:
        with store.write() as tx:
            tx.execute(text("DROP TABLE worker"))
        with store.read() as tx:
            assert at_work(store, tx, CLOCK.now()) == []


# --- those who work


def test_the_schema_is_looked_at_when_others_changed_something_and_not_all_the_time(store: Store) -> None:
    clock = SetClock(0)
    watch = SchemaWatch(store, clock)
    watch.look(False)
    marked(store, "9999")
    clock.set(5_000)
    watch.look(False)
    clock.set(10_000)
    with pytest.raises(WrongSchema, match="the schema of another version"):
        watch.look(True)


def test_what_changed_soon_after_a_look_is_looked_at_later(store: Store) -> None:
    clock = SetClock(0)
    watch = SchemaWatch(store, clock)
    watch.look(True)
    marked(store, "9999")
    watch.look(True)
    clock.set(2_000)
    with pytest.raises(WrongSchema):
        watch.look(False)


def test_a_daemon_does_not_begin_where_the_schema_changed_since_it_opened_the_database(
    url: str, tmp_path: Path
) -> None:
    project = project_on(url, tmp_path, NO_FLOWS)
    with closing(open_engine(url)) as engine:
        daemon = Daemon(project, engine, CLOCK)
        marked(engine.store, "9999")
        with pytest.raises(WrongSchema):
            daemon.run()
        with engine.store.read() as tx:
            assert tx.execute(text("SELECT count(*) FROM worker")).scalar() == 0, "it said that it stops"


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start daemons in a folder; they end with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> subprocess.Popen[str]:
        command = [str(TACTFUL), "serve", *options, "--project", str(tmp_path)]
        started.append(subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.communicate()


def until(daemon: subprocess.Popen[str], event: str) -> list[dict[str, str]]:
    """The log up to an event."""
    said = []
    assert daemon.stderr is not None
    for line in daemon.stderr:
        said.append(json.loads(line))
        if said[-1]["event"] == event:
            return said
    raise AssertionError(f"the log ended without {event!r}: {said}")


@pytest.mark.parametrize(("options", "runs"), [((), "running"), (("--only", "api", "--port", "0"), "listening")])
def test_a_daemon_under_whom_the_schema_changes_says_so_and_ends(
    store: Store, url: str, tmp_path: Path, start: Start, options: tuple[str, ...], runs: str
) -> None:
    project_on(url, tmp_path, NO_FLOWS)
    daemon = start(*options)
    until(daemon, runs)
    marked(store, "9999")
    _, err = daemon.communicate(timeout=60)
    assert daemon.returncode == 1
    assert "the database is not to be worked on any more, so this process ends" in err
    assert "has the schema of another version of tactful now" in " ".join(err.split())
    again = start(*options)
    _, err = again.communicate(timeout=60)
    assert again.returncode == 1
    assert "is of a newer tactful" in " ".join(err.split())


def test_the_daemon_of_a_newer_version_brings_the_database_up_to_date_and_says_so(
    older: Store, url: str, tmp_path: Path, start: Start
) -> None:
    project_on(url, tmp_path, NO_FLOWS)
    (began,) = [each for each in until(start(), "running") if "bringing" in each["event"]]
    assert (began["has"], began["newest"]) == (OLDER, newest())
    assert schema_of(older) == newest()


def test_a_newer_daemon_does_not_begin_while_an_older_one_works_on_the_file(tmp_path: Path, start: Start) -> None:
    file = tmp_path / "shop.db"
    project_on(f"sqlite:///{file}", tmp_path, NO_FLOWS)
    with closing(open_store(f"sqlite:///{file}")) as store:
        store.lay_out()
        marked(store, OLDER)
    for options in ((), ("--only", "api", "--port", "0")):
        with only_one(file):
            newer = start(*options)
            _, err = newer.communicate(timeout=60)
        assert newer.returncode == 1
        assert "a daemon runs on" in err
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("select version_num from alembic_version").fetchall() == [(OLDER,)]


# --- a database that was away


def test_that_the_database_is_away_and_that_it_is_back_is_said_once(
    postgresql: Server, tmp_path: Path, start: Start
) -> None:
    url = postgresql.new_database()
    name = make_url(url).database
    project_on(url, tmp_path, NO_FLOWS)
    daemon = start()
    until(daemon, "running")
    elsewhere = postgresql.new_database().replace("+psycopg", "")
    with psycopg.connect(elsewhere, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        admin.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        said = until(daemon, AWAY)
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    said += until(daemon, BACK)
    whys = [each["why"] for each in said if each["event"] == AWAY]
    assert len(whys) == len(set(whys)), "it found out more often"
    assert {each["event"] for each in said} == {AWAY, BACK}
    daemon.send_signal(signal.SIGTERM)
    _, err = daemon.communicate(timeout=60)
    assert daemon.returncode == 0
    assert BACK not in err
