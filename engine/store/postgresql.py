"""A project's database in PostgreSQL, 14 or newer.

Every write transaction takes one advisory lock first: alone, so that what it read still holds when it writes, as it
does on SQLite; or shared with others that hold what they change (`holding.py`). Who wants to be alone waits for those
who share, and they queue behind. A transaction says at its end that something changed, and those who LISTEN wake up.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.pool import QueuePool

from tactful.engine.store.database import Store
from tactful.engine.store.driver import run
from tactful.engine.store.trouble import trouble_with_postgresql

# Beside an error that it raises, the driver warns of what failed because of it, and names the user and the database.
logging.getLogger("psycopg").setLevel(logging.ERROR)

LOCK = 0x7AC7F01
"""The number of the lock that every write takes."""

_LOCKS = {"alone": "pg_advisory_xact_lock", "shared": "pg_advisory_xact_lock_shared"}

_FROZEN = {"alone": "60s", "shared": "10s"}
"""How long a transaction may ask nothing of the server before that ends it: its process stands still, or its machine is
gone, and others wait for what it holds."""
_CHANNEL = "tactful"

_SILENCE = {
    "connect_timeout": "10",
    "keepalives_idle": "5", "keepalives_interval": "5", "keepalives_count": "2",
    "tcp_user_timeout": "15000",
}  # fmt: skip
"""How long a server may be silent, where the address does not say: ten seconds to let us in, and fifteen after that,
whether it owes us an answer or we only listen. Its machine has to answer, not the server: a statement may take long."""

_READS_BY_INDEX = "SET random_page_cost = 1.1"
"""What is due is read in the order of its index. PostgreSQL takes a page from anywhere for four times as dear as the
next one, as on a disk that turns: in a table it has not counted yet it would sort all that is due, to take some."""

_BEGIN_TO_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_BEGIN_TO_WRITE = {
    how: "BEGIN ISOLATION LEVEL READ COMMITTED;"
    f" SELECT set_config('idle_in_transaction_session_timeout', '{frozen}', true), {_LOCKS[how]}({LOCK})"
    for how, frozen in _FROZEN.items()
}


class PostgresStore(Store):
    """One database of a server, or one schema of it where the address says so (`?options=-csearch_path=…`)."""

    many_write = True

    def __init__(self, url: str) -> None:
        parsed = make_url(url).set(drivername="postgresql+psycopg")
        parsed = parsed.set(query={**_SILENCE, **parsed.query})
        self._me = uuid4().hex  # to tell our own commits from others'
        # A password may stand in the query as well, under several names.
        where = {name: value for name, value in parsed.query.items() if name in ("host", "port")}
        super().__init__(parsed.set(query=where).render_as_string(hide_password=True), self._engine(parsed))

    def _engine(self, url: Any) -> Engine:
        # BEGIN and COMMIT are said here, each in one message with what belongs to it.
        engine = create_engine(
            url, paramstyle="format", poolclass=QueuePool, pool_size=8, max_overflow=8, hide_parameters=True,
            isolation_level="AUTOCOMMIT",
        )  # fmt: skip
        # Only one that wrote has a number.
        say = f"SELECT pg_notify('{_CHANNEL}', '{self._me}') WHERE pg_current_xact_id_if_assigned() IS NOT NULL"

        @event.listens_for(engine, "connect")
        def _settings(connection: psycopg.Connection[Any], _record: object) -> None:
            connection.execute(_READS_BY_INDEX)
            connection.commit()

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            writes = connection.get_execution_options().get("writes")
            run(connection, _BEGIN_TO_READ if writes is None else _BEGIN_TO_WRITE[writes])

        @event.listens_for(engine, "commit")
        def _commit(connection: Connection) -> None:
            writes = connection.get_execution_options().get("writes")
            run(connection, "COMMIT" if writes is None else f"{say}; COMMIT")

        return engine

    @contextmanager
    def write(self, *, shared: bool = False) -> Iterator[Connection]:
        with self._observed() as tally, self._connected() as connection:
            connection.execution_options(writes="shared" if shared else "alone", tally=tally)
            with connection.begin():
                self.observer.began(tally)
                yield connection

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        with super()._connected() as connection:
            try:
                yield connection
            except psycopg.Error:  # of a statement that SQLAlchemy knows nothing of
                if not connection.invalidated:
                    self._let_go(connection)
                raise

    def _let_go(self, connection: Connection) -> None:
        """Use it no more: it broke, or the server may have forgotten what the driver thinks it has prepared there."""
        others_too = _is_broken(connection)
        connection.invalidate()
        if others_too:  # the server was restarted, most likely
            self.engine.dispose()

    def changes(self) -> Listener:
        return Listener(self.engine, self._me)

    def _trouble(self, error: Exception) -> str | None:
        return trouble_with_postgresql(error)


def _is_broken(connection: Connection) -> bool:
    driven = connection.connection.driver_connection
    assert isinstance(driven, psycopg.Connection), "the driver is psycopg"
    return driven.broken


class Listener:
    """Hears of others' commits, on a connection of its own. One that broke is opened anew, and counts as a change:
    what was said meanwhile nobody heard."""

    def __init__(self, engine: Engine, me: str) -> None:
        self._engine = engine
        self._me = me
        self._connection: psycopg.Connection[Any] | None = self._open()

    def _open(self) -> psycopg.Connection[Any]:
        _, arguments = self._engine.dialect.create_connect_args(self._engine.url)
        connection = psycopg.connect(**arguments, autocommit=True)
        connection.execute(f"LISTEN {_CHANNEL}")
        return connection

    def changed(self) -> bool:
        try:
            if self._connection is None:
                self._connection = self._open()
                return True
            heard = [said.payload for said in self._connection.notifies(timeout=0)]  # all of it, before one is asked
            return any(payload != self._me for payload in heard)
        except psycopg.OperationalError:
            self.close()
            self._connection = None
            return False

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
