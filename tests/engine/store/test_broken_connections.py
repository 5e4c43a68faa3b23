"""Connections to PostgreSQL that broke: said in words, once, and the next one is a new one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url, select

from tactful.engine.store.database import Store, StoreError, open_store
from tactful.engine.store.statements import MEMBERSHIP, Query

_members = Query(select(MEMBERSHIP.c.contact, MEMBERSHIP.c.flow).order_by(MEMBERSHIP.c.contact))


class Server:
    """A database, and a way to break all connections to it."""

    def __init__(self, url: str) -> None:
        self.store = open_store(url)
        self.store.lay_out()
        _, self._arguments = self.store.engine.dialect.create_connect_args(make_url(url))

    def cut(self, connections: int = 1) -> None:
        with closing(psycopg.connect(**self._arguments, autocommit=True)) as connection:
            cut = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchall()
            assert cut == [(True,)] * connections

    def forget(self) -> None:
        """Forget what was prepared, as a pooler does that gives each transaction another connection."""
        with self.store.engine.connect() as connection:
            connection.exec_driver_sql("DEALLOCATE ALL")


@pytest.fixture
def server(postgresql: Any) -> Iterator[Server]:
    opened = Server(postgresql.new_database())
    yield opened
    opened.store.close()


def look(store: Store) -> None:
    store.look(_members)


def read(store: Store) -> None:
    with store.read() as tx:
        _members.rows(tx)


def write(store: Store) -> None:
    with store.write() as tx:
        store.statements.join.run(tx, [(1, 1)])


@pytest.mark.parametrize("what", [look, read, write])
def test_one_that_broke_before(server: Server, what: Callable[[Store], None], caplog: pytest.LogCaptureFixture) -> None:
    what(server.store)
    server.cut()
    with pytest.raises(StoreError, match="is going down or starting up"):
        what(server.store)
    what(server.store)
    assert not caplog.records, "who uses the store hears of it, and it is not said a second time"


@pytest.mark.parametrize("what", [look, read, write])
def test_where_all_broke_one_is_heard_of(
    server: Server, what: Callable[[Store], None], caplog: pytest.LogCaptureFixture
) -> None:
    with ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(server.store.read())
    server.cut(8)
    with pytest.raises(StoreError):
        what(server.store)
    for _ in range(8):
        what(server.store)
    assert not caplog.records


@pytest.mark.parametrize("what", [look, read, write])
def test_one_that_forgot_what_was_prepared(server: Server, what: Callable[[Store], None]) -> None:
    for _ in range(10):  # the driver prepares what is run more than a few times
        what(server.store)
    server.forget()
    with suppress(psycopg.Error):
        what(server.store)
    what(server.store)


def test_one_that_breaks_before_a_statement(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    def cut_between() -> None:
        with server.store.write() as tx:
            server.store.statements.join.run(tx, [(1, 1)])
            server.cut()
            server.store.statements.join.run(tx, [(2, 1)])

    with pytest.raises(StoreError):
        cut_between()
    assert server.store.look(_members) == []
    assert not caplog.records


def test_one_that_breaks_before_the_commit(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    def cut_at_the_end() -> None:
        with server.store.write() as tx:
            server.store.statements.join.run(tx, [(1, 1)])
            server.cut()

    with pytest.raises(StoreError):
        cut_at_the_end()
    assert server.store.look(_members) == []
    assert not caplog.records


@pytest.mark.parametrize(("shared", "seconds"), [(True, 10), (False, 60)])
def test_the_server_ends_what_stands_still_while_others_wait_for_it(server: Server, shared: bool, seconds: int) -> None:
    """As `docs/deploy.md` says it."""
    frozen = "SELECT setting::int / 1000 FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'"
    with server.store.write(shared=shared) as tx:
        assert tx.exec_driver_sql(frozen).scalar() == seconds
    with server.store.read() as tx:
        assert tx.exec_driver_sql(frozen).scalar() == 0, "nobody waits for who only reads"
