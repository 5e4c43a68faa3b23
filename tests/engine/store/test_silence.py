"""A PostgreSQL server that says nothing any more is given up in seconds, and a watch that was cut hears again."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import text
from tests.engine.conftest import wait_until
from tests.engine.relay import Relay, relay_to

from tactful.engine.store.database import Store, StoreError, open_store
from tactful.engine.store.postgresql import Listener

if TYPE_CHECKING:
    from tests.conftest import Server

tells = pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="asks the kernel as Linux wants to be asked")


@pytest.fixture
def relay(postgresql: Server) -> Iterator[Relay]:
    with relay_to(postgresql.new_database()) as relay:
        yield relay


def patience_of(connection: psycopg.Connection[object]) -> list[int]:
    """What the kernel was told of a connection: seconds of silence before it asks whether the other end is there, and
    between asking; how often; milliseconds until what was sent has to have come."""
    with closing(socket.socket(fileno=connection.fileno())) as at:
        names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
        found = [at.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)]
        found += [at.getsockopt(socket.IPPROTO_TCP, name) for name in names]
        at.detach()
    return found


def connections_of(store: Store) -> Iterator[psycopg.Connection[object]]:
    """One that asks, and the one that listens."""
    with store.read() as tx, closing(store.changes()) as changes:
        driven = tx.connection.driver_connection
        assert isinstance(driven, psycopg.Connection)
        yield driven
        assert isinstance(changes, Listener)
        assert changes._connection is not None
        yield changes._connection


@tells
def test_the_kernel_looks_whether_the_server_is_there(relay: Relay) -> None:
    with closing(open_store(relay.url)) as store:
        assert [patience_of(each) for each in connections_of(store)] == 2 * [[1, 5, 5, 2, 15_000]]


@tells
def test_an_address_may_say_otherwise(relay: Relay) -> None:
    with closing(open_store(f"{relay.url}?keepalives_idle=60&tcp_user_timeout=4000")) as store:
        assert [patience_of(each) for each in connections_of(store)] == 2 * [[1, 60, 5, 2, 4_000]]


def test_a_server_that_does_not_answer_at_all_is_waited_for_so_long() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql+psycopg://u@127.0.0.1:{silent.getsockname()[1]}/d"
        with closing(open_store(url)) as store:
            assert store.engine.url.query["connect_timeout"] == "10"
        with closing(open_store(f"{url}?connect_timeout=2")) as store, pytest.raises(StoreError) as refused:
            store.keep_to_schema()
    assert "cannot be reached: no answer came in time" in str(refused.value)


def test_how_long_is_no_part_of_its_name() -> None:
    with closing(open_store("postgresql+psycopg://u@h/d")) as store:
        assert store.name == "postgresql+psycopg://u@h/d"


def test_a_watch_that_was_cut_counts_it_as_a_change_and_hears_again(relay: Relay) -> None:
    with closing(open_store(relay.url)) as store, closing(store.changes()) as changes:
        assert not changes.changed()
        relay.cut()
        wait_until(changes.changed)
        assert not changes.changed()
        with closing(open_store(relay.url)) as other, other.write() as tx:
            tx.execute(text("INSERT INTO worker (name, beat_at) VALUES ('harbour 1', 0)"))
        wait_until(changes.changed)
