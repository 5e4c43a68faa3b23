"""A project moved to another kind of database goes on there as if nothing had happened."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from tests.engine.conftest import wait_until

from tactful.engine.cli.migrate import migrate
from tactful.engine.cli.trouble import STOPPED, Trouble
from tactful.engine.clock import SetClock, SystemClock
from tactful.engine.compose import open_engine
from tactful.engine.contacts import put_contacts
from tactful.engine.contacts_file import ContactFields
from tactful.engine.moving import NotEmpty, count_rows, move
from tactful.engine.optout import by_hand
from tactful.engine.running import AlreadyRunning, only_one
from tactful.engine.store.database import Sealed, Store, StoreError, open_store
from tactful.engine.store.migrations import schema_of
from tactful.engine.testing import World
from tactful.engine.upgrading import is_behind
from tactful.engine.workers import Worker, may_work

if TYPE_CHECKING:
    from tests.conftest import Server

MONDAY = 1_772_442_000_000
FLOW = """
flow: letter
entry: {event: began, again: always}
settings: {sender: {email: a@acme.example}}
elements:
  mail: {type: send_email, subject: S, text: T, next: opened}
  opened:
    {type: wait_for_event, event: opened, message: mail, within: 2 days, next: {happened: end, timed_out: unopened}}
  unopened: {type: add_to_do_not_contact, channel: email}
"""


def lived(url: str) -> World:
    """A world with people in the middle of a flow, and some who said no."""
    world = World(MONDAY, database=url)
    world.publish(FLOW)
    people = [ContactFields(f"c{number}", f"c{number}@example.com") for number in range(2_500)]
    put_contacts(world.engine.host, people, MONDAY)
    for number in range(10):
        world.happens("began", f"c{number}")
    by_hand.block(world.engine, "c19@example.com", "email", MONDAY, reason="rang")
    world.opens("mail", "c3")
    return world


def told(world: World) -> object:
    """What became of everybody in two days more, as anybody could see it."""
    world.happens("began", "c15")
    world.happens("began", "c19")
    world.advance("2 days")
    return (
        [(each.id, each.state, each.element, world.path(each.id)) for each in world.journeys()],
        world.messages(),
        world.do_not_contact,
    )


def test_journeys_go_on_in_postgresql(tmp_path: Path, postgresql: Server) -> None:
    there = postgresql.new_database()
    here = f"sqlite:///{tmp_path / 'shop.db'}"
    stayed, moving = lived("sqlite://"), lived(here)
    moving.close()
    source, target = open_store(here), open_store(there)
    came: list[int] = []
    done = move(source, target, MONDAY, came.append)
    assert done.total == count_rows(source) == count_rows(target) == came[-1]
    with target.read() as tx:
        counted = tx.exec_driver_sql("select reltuples from pg_class where relname = 'journey'").scalar_one()
    assert counted > 0, "PostgreSQL knows how large its tables are, and plans by that"
    source.close()
    target.close()
    went_on = World(MONDAY, database=there)
    try:
        assert told(went_on) == told(stayed)
    finally:
        went_on.close()
        stayed.close()


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / name}.db" for name in ("one", "two")]
    for url in urls:
        lived(url).close()
    source, target = (open_store(url) for url in urls)
    with pytest.raises(NotEmpty, match="is not empty"):
        move(source, target, MONDAY)
    source.close()
    target.close()


def test_an_interrupted_move_leaves_nothing_behind(tmp_path: Path) -> None:
    lived(f"sqlite:///{tmp_path / 'one.db'}").close()
    source, target = (open_store(f"sqlite:///{tmp_path / name}.db") for name in ("one", "two"))
    target.lay_out()

    def fails(rows: int) -> None:
        if rows > 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        move(source, target, MONDAY, fails)
    assert count_rows(target) == 0
    source.keep_to_schema()
    assert move(source, target, MONDAY).total == count_rows(source)
    source.close()
    target.close()


def test_a_move_that_is_stopped_says_so_and_nothing_has_moved(tmp_path: Path, postgresql: Server) -> None:
    here, there = f"sqlite:///{tmp_path / 'shop.db'}", postgresql.new_database()
    lived(here).close()
    (tmp_path / "tactful.yaml").write_text(f"database: {there}\n", encoding="utf-8")
    program = [
        "-c",
        "from tactful.engine.cli import main; main()",
        "migrate",
        "--from",
        here,
        "--project",
        str(tmp_path),
    ]
    with psycopg.connect(there.replace("+psycopg", "", 1)) as other:
        other.execute("LOCK TABLE contact IN SHARE MODE")  # so it is stopped in the middle
        moving = subprocess.Popen([sys.executable, *program], stderr=subprocess.PIPE, text=True)
        wait_until(lambda: bool(other.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall()))
        moving.send_signal(signal.SIGINT)
        _, said = moving.communicate(timeout=60)
    assert (moving.returncode, said.strip()) == (130, STOPPED)
    with closing(open_store(there)) as target:
        assert count_rows(target) == 0


@pytest.mark.parametrize("back", [False, True], ids=["there", "here"])
def test_nothing_is_moved_while_a_daemon_works_on_the_server(
    tmp_path: Path, postgresql: Server, monkeypatch: pytest.MonkeyPatch, back: bool
) -> None:
    file, server = f"sqlite:///{tmp_path / 'shop.db'}", postgresql.new_database()
    store, clock = open_store(server), SystemClock()
    store.lay_out()
    lived(file if not back else server).close()
    monkeypatch.setenv("SHOP_DB", file if back else server)
    (tmp_path / "tactful.yaml").write_text("database: {env: SHOP_DB}\n", encoding="utf-8")
    worker = Worker(store, clock, "w")
    worker.join()
    with pytest.raises(Trouble, match="a daemon works on"):
        migrate(source=server if back else file, project=tmp_path / "tactful.yaml")
    worker.leave()
    migrate(source=server if back else file, project=tmp_path / "tactful.yaml")
    store.close()


@pytest.fixture
def target(tmp_path: Path) -> str:
    """A project whose database is new; where one may be moved from."""
    (tmp_path / "tactful.yaml").write_text("database: sqlite:///new.db\n", encoding="utf-8")
    return f"sqlite:///{tmp_path / 'old.db'}"


def test_nothing_is_not_moved(tmp_path: Path, target: str) -> None:
    with pytest.raises(Trouble, match="there is no database"):
        migrate(source=target, project=tmp_path)
    (tmp_path / "old.db").touch()
    with pytest.raises(Trouble, match="is empty"):
        migrate(source=target, project=tmp_path)
    laid_out(target)
    with pytest.raises(Trouble, match="holds no contacts, no flows"):
        migrate(source=target, project=tmp_path)


def test_a_project_is_not_moved_to_where_it_is(tmp_path: Path, target: str) -> None:
    for source in ("sqlite:///new.db", f"sqlite:///{tmp_path}/../{tmp_path.name}/new.db"):
        with pytest.raises(Trouble, match="is kept there now"):
            migrate(source=source, project=tmp_path)


def laid_out(url: str) -> None:
    with closing(open_store(url)) as store:
        store.lay_out()


def test_an_old_database_is_left_as_it_is_while_a_daemon_works_on_it(tmp_path: Path, target: str) -> None:
    lived(target).close()
    with closing(open_store(target)) as store:
        with store.write() as tx:
            tx.exec_driver_sql("update alembic_version set version_num = '0005'")
        with only_one(tmp_path / "old.db"), pytest.raises(AlreadyRunning):
            migrate(source=target, project=tmp_path)
        assert schema_of(store) == "0005"
        assert not (tmp_path / "new.db").exists()
        migrate(source=target, project=tmp_path)
        assert not is_behind(store)


def test_what_dead_daemons_left_is_not_in_the_way(tmp_path: Path, postgresql: Server) -> None:
    here = f"sqlite:///{tmp_path / 'one.db'}"
    lived(here).close()
    with closing(open_store(here)) as source, closing(open_store(postgresql.new_database())) as there:
        Worker(there, SetClock(0), "long gone").join()
        with there.write() as tx:
            assert may_work(tx, "a@acme.example", 1)
        move(source, there, MONDAY)
        with there.read() as tx:
            assert tx.exec_driver_sql("select count(*) from worker").scalar() == 0


# --- the old database


def test_what_is_told_to_the_old_database_while_it_moves_is_refused(url: str, tmp_path: Path) -> None:
    lived(url).close()
    refused: list[StoreError] = []
    with (
        closing(open_store(url)) as source,
        closing(open_engine(url)) as unseen,
        closing(open_store(f"sqlite:///{tmp_path / 'new.db'}")) as target,
    ):
        target.lay_out()

        def tell() -> None:
            with pytest.raises(StoreError) as caught:
                by_hand.block(unseen, "c20@example.com", "email", MONDAY)
            refused.append(caught.value)

        telling = threading.Thread(target=tell)

        def half_way(rows: int) -> None:
            if telling.ident is None:
                telling.start()

        rows = move(source, target, MONDAY, half_way).total
        telling.join(60)
        assert "is not in use any more: on 2026-03-02 the project moved to" in str(refused[0])
        assert rows == count_rows(target) == count_rows(source)


def test_a_project_does_not_move_twice_from_the_same_database(tmp_path: Path, target: str) -> None:
    lived(target).close()
    migrate(source=target, project=tmp_path)
    with pytest.raises(Trouble, match="is not empty"):
        migrate(source=target, project=tmp_path)
    (tmp_path / "tactful.yaml").write_text("database: sqlite:///third.db\n", encoding="utf-8")
    with pytest.raises(Trouble, match=r"the project moved to .*new\.db; name that one"):
        migrate(source=target, project=tmp_path)


def test_a_move_that_was_killed_is_begun_anew(tmp_path: Path, target: str) -> None:
    lived(target).close()
    script = (
        "import os, sys; from tactful.engine import moving; from tactful.engine.store.database import open_store\n"
        "stores = [open_store(url) for url in sys.argv[1:]]; stores[1].lay_out()\n"
        "moving.move(*stores, 0, lambda rows: os._exit(9) if rows > 2000 else None)"
    )
    killed = subprocess.run([sys.executable, "-c", script, target, f"sqlite:///{tmp_path / 'new.db'}"], check=False)
    assert killed.returncode == 9
    with closing(open_store(target)) as source, pytest.raises(StoreError, match="the project moved to"):
        write_to(source)
    migrate(source=target, project=tmp_path)
    with closing(open_store(target)) as source, closing(open_store(f"sqlite:///{tmp_path / 'new.db'}")) as there:
        assert count_rows(source) == count_rows(there)


def write_to(store: Store) -> None:
    with store.write() as tx:
        tx.exec_driver_sql("delete from contact")


def test_nothing_is_moved_into_a_database_that_takes_no_writes(tmp_path: Path, target: str) -> None:
    lived(target).close()
    migrate(source=target, project=tmp_path)
    (tmp_path / "tactful.yaml").write_text("database: sqlite:///old.db\n", encoding="utf-8")
    with pytest.raises(Trouble) as caught:
        migrate(source=f"sqlite:///{tmp_path / 'new.db'}", project=tmp_path)
    assert "--reopen" in str(caught.value.hint)


def test_a_project_may_go_on_in_the_old_database_after_all(tmp_path: Path, target: str) -> None:
    lived(target).close()
    migrate(source=target, project=tmp_path)
    (tmp_path / "tactful.yaml").write_text("database: sqlite:///old.db\n", encoding="utf-8")
    with pytest.raises(Sealed, match=r"on \d{4}-\d\d-\d\d the project moved to .*new.db"):
        migrate(project=tmp_path)
    with pytest.raises(Trouble, match="say one of them"):
        migrate(source=target, reopen=True, project=tmp_path)
    migrate(reopen=True, project=tmp_path)
    migrate(project=tmp_path)
    world = World(MONDAY, database=target)
    world.happens("began", "c15")
    world.close()


def test_nothing_is_reopened_that_is_not_there(tmp_path: Path, target: str) -> None:
    with pytest.raises(Trouble, match="there is no database"):
        migrate(reopen=True, project=tmp_path)
    assert not (tmp_path / "new.db").exists()
