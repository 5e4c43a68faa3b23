"""A project's database in one SQLite file, or in memory.

WAL, and every write in `BEGIN IMMEDIATE`, so that what a transaction read still holds when it writes. Writers stand in
line (`line.py`), which is fair where SQLite's own lock is not.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Dialect, Engine, create_engine, event, make_url
from sqlalchemy.pool import PoolProxiedConnection, QueuePool, StaticPool

from tactful.engine.clock import SystemClock
from tactful.engine.store.beside import PRIVATE
from tactful.engine.store.database import IN_MEMORY, Store, StoreError
from tactful.engine.store.line import FairLock, Line, patiently
from tactful.engine.store.tables import metadata
from tactful.engine.store.trouble import trouble_with_sqlite

BUSY_MS = 60_000
"""How long a writer waits for another process's transaction before it gives up with an error."""

_making = threading.Lock()
"""To close a file lets go of all locks that this process has on it; so one is made before any other thread opens it."""


class SqliteStore(Store):
    """One file; `sqlite://` is one in memory, for tests and trials, which may begin as the `image` of another."""

    def __init__(self, url: str, image: bytes | None = None, *, busy_ms: int = BUSY_MS) -> None:
        parsed = make_url(url)
        self.in_memory = parsed.database in (None, "", ":memory:")
        self.path = None if self.in_memory else Path(str(parsed.database))
        self._busy_ms = busy_ms
        self._turn = FairLock()
        self._line = None if self.path is None else Line(self.path, busy_ms)
        self._image = image
        super().__init__(str(self.path or url), self._engine(url))

    def _engine(self, url: str) -> Engine:
        connect_args: dict[str, Any] = {"check_same_thread": False, "timeout": self._busy_ms / 1000}
        if self.in_memory:
            engine = _engine_in_memory()
        else:
            engine = create_engine(
                url, poolclass=QueuePool, pool_size=8, max_overflow=8, connect_args=connect_args, hide_parameters=True
            )

        @event.listens_for(engine, "do_connect")
        def _first(*_: object) -> None:
            if self.path is not None:
                _make(self.path)

        @event.listens_for(engine, "connect")
        def _settings(connection: Any, _record: object) -> None:
            connection.isolation_level = None  # we say BEGIN ourselves, and which kind
            if not self.in_memory:
                # Where several open a new file at once, SQLite lets one change its mode, and refuses the others.
                until = SystemClock().monotonic() + self._busy_ms / 1000
                patiently(lambda: connection.execute("PRAGMA journal_mode=WAL"), until)
                connection.execute("PRAGMA synchronous=FULL")
                connection.execute("PRAGMA cache_size=-65536")
            connection.execute("PRAGMA foreign_keys=ON")

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            if self._line is not None and connection.get_execution_options().get("writes", False):
                self._line.begin(_of_sqlite(connection.connection))
            else:
                connection.exec_driver_sql("BEGIN")  # in memory there is nobody else

        return engine

    @contextmanager
    def write(self, *, shared: bool = False) -> Iterator[Connection]:  # one writes at a time, all the same
        with (
            self._observed() as tally,
            self._turn,
            self._in_words(),
            self.engine.connect().execution_options(writes=True, tally=tally) as connection,
            connection.begin(),
        ):
            self.observer.began(tally)
            yield connection

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        # In memory there is one connection for all: readers take turns with the writer.
        with self._turn if self.in_memory else nullcontext(), super()._connected() as connection:
            yield connection

    def close(self) -> None:
        super().close()
        if self._line is not None:
            self._line.close()

    def _trouble(self, error: Exception) -> str | None:
        return trouble_with_sqlite(error)

    def lay_out(self) -> None:
        if self.path is None:
            self._fill(self._image or _laid_out())
            return
        if not self.path.parent.is_dir():
            raise StoreError(f"there is no folder {self.path.parent} to keep the database in; create it first")
        super().lay_out()

    def _fill(self, image: bytes) -> None:
        # By way of another connection: one that was opened on an image cannot grow past a gigabyte.
        with closing(sqlite3.connect(":memory:")) as source, closing(self.engine.raw_connection()) as target:
            source.deserialize(image)
            source.backup(_of_sqlite(target))

    def image(self) -> bytes:
        assert self.in_memory, "a database that lasts has a file"
        with self._turn, closing(self.engine.raw_connection()) as connection:
            return _of_sqlite(connection).serialize()

    @contextmanager
    def overwriting(self, tx: Connection) -> Iterator[None]:
        tx.exec_driver_sql("PRAGMA secure_delete=ON")
        try:
            yield
        finally:
            tx.exec_driver_sql("PRAGMA secure_delete=OFF")

    @property
    def waits(self) -> int:
        return self._turn.waits

    def changes(self) -> DataVersion:
        return DataVersion(self)


def _make(file: Path) -> None:
    """Make the file of a database that is not there yet, for this user alone. Where that cannot be, SQLite says why."""
    with _making, suppress(OSError):
        file.touch(PRIVATE, exist_ok=False)


def _of_sqlite(connection: PoolProxiedConnection) -> sqlite3.Connection:
    found = connection.driver_connection
    assert isinstance(found, sqlite3.Connection), "the driver is Python's own"
    return found


def _engine_in_memory() -> Engine:
    """An engine on a new database in memory. All of them share what is compiled, which else takes most of the time of
    a short test."""
    dialect, compiled = _compiled_in_memory()
    connect: Any = partial(sqlite3.connect, ":memory:", check_same_thread=False)
    return Engine(
        StaticPool(connect, dialect=dialect),
        dialect,
        make_url(IN_MEMORY),
        execution_options={"compiled_cache": compiled},
    )


@lru_cache(maxsize=1)
def _compiled_in_memory() -> tuple[Dialect, dict[Any, Any]]:
    engine = create_engine(IN_MEMORY, poolclass=StaticPool)
    engine.connect().close()  # a dialect is complete once it has seen a connection
    engine.dispose()
    return engine.dialect, {}


@lru_cache(maxsize=1)
def _laid_out() -> bytes:
    """An empty database with all tables. To lay it out takes a hundred times as long as to copy it."""
    engine = create_engine(IN_MEMORY, poolclass=StaticPool)
    try:
        metadata.create_all(engine)
        with closing(engine.raw_connection()) as connection:
            return _of_sqlite(connection).serialize()
    finally:
        engine.dispose()


class DataVersion:
    """Notices commits of other connections, by SQLite's `data_version` on a connection of its own."""

    def __init__(self, store: SqliteStore) -> None:
        self._connection = store.engine.raw_connection()
        self._seen = self._version()

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def changed(self) -> bool:
        """Whether anything was committed by others since the last call."""
        version = self._version()
        changed, self._seen = version != self._seen, version
        return changed

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()
