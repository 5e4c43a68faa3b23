"""A project's database, whichever kind it is: transactions, migrations, a watch for what others commit.

What is true of both kinds: a write sees nothing that another write did not commit, and what it read still holds when it
writes; a read sees one consistent state. Of writes that are shared this is true of what they hold (`holding.py`); of
looks each sees a state of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.exc import TimeoutError as NoneFree

from tactful.engine.store.statements import Query, Statements
from tactful.engine.store.tally import Observer, Tally

IN_MEMORY = "sqlite://"
_TOO_MANY = "is asked for more at once than this process can ask of it; try again soon"


class StoreError(Exception):
    """The database cannot be used; the message says why and what to do."""


class WrongSchema(StoreError):
    """The database is laid out as another version of tactful knows it, and not as this one does."""


class Sealed(WrongSchema):
    """The database takes no more writes (`sealing.py`); the message says why."""


class ChangeWatch(Protocol):
    """Notices what other processes commit."""

    def changed(self) -> bool:
        """Whether anything was committed by others since the last call."""
        ...

    def close(self) -> None:
        """Stop watching."""
        ...


class Store(ABC):
    """One database. `name` is what people know it by, without any secret; `path` is its file, where it has one;
    `many_write` says whether shared writes go on beside each other; `observer` is told of what is committed here."""

    in_memory = False
    many_write = False
    path: Path | None = None

    def __init__(self, name: str, engine: Engine) -> None:
        self.name = name
        self.engine = engine
        self.observer = Observer()
        self.statements = _statements(engine.dialect.name)

    @abstractmethod
    def write(self, *, shared: bool = False) -> AbstractContextManager[Connection]:
        """A transaction that may write. It commits at the end of the block, or rolls back on an exception.

        Nobody else writes meanwhile. A `shared` one goes on beside others that are shared, where the database lets
        several write at once: it may change nothing but what it holds (`holding.py`), and rows that only it knows of.
        """

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads, from one consistent state."""
        with self._connected() as connection, connection.begin():
            yield connection

    def look(self, query: Query, *values: Any) -> Sequence[Any]:
        """What one select finds that locks nothing, as things stand: a transaction around it would take more time than
        it does."""
        with self._connected() as connection:
            return query.rows(connection, *values)

    def lay_out(self) -> None:
        """Lay the database out where it is new. Raises WrongSchema where another version did, and StoreError."""
        from tactful.engine.store.migrations import lay_out

        lay_out(self)

    def keep_to_schema(self) -> None:
        """Raises WrongSchema where the database, laid out before, has no longer the schema of this version, Sealed
        where it takes no more writes."""
        from tactful.engine.store.migrations import is_newest
        from tactful.engine.store.sealing import sealed_with

        if self.in_memory:
            return
        with self.read() as tx:
            if not is_newest(tx):
                raise WrongSchema(f"the database {self.name} has the schema of another version of tactful now")
            if words := sealed_with(tx):
                raise Sealed(f"the database {self.name} {words}")

    @abstractmethod
    def changes(self) -> ChangeWatch:
        """A watch for other processes' commits."""

    @abstractmethod
    def _trouble(self, error: Exception) -> str | None:
        """What to say of an error of the database itself, after its name; None for any other."""

    @contextmanager
    def overwriting(self, tx: Connection) -> Iterator[None]:
        """In this block of a transaction, what is deleted is overwritten too, where the database lets us say so."""
        yield

    def image(self) -> bytes:
        """All that is committed of a database in memory, as a file would hold it. Not within a transaction."""
        raise NotImplementedError("a database that lasts needs none")

    @property
    def waits(self) -> int:
        """How often a thread of this process had to wait for its turn to write; 0 where nobody knows."""
        return 0

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        with self._in_words(), self.engine.connect() as connection:
            yield connection
        self.observer.answered()

    @contextmanager
    def _observed(self) -> Iterator[Tally]:
        tally = self.observer.asked()
        try:
            yield tally
        except StoreError as error:
            self.observer.failed(str(error))
            raise
        self.observer.committed(tally)

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """Errors of the database itself as StoreError. All others stay as they are."""
        try:
            yield
        except Exception as error:
            said = _TOO_MANY if isinstance(error, NoneFree) else self._trouble(error)
            if said is None:
                raise
            self.observer.unanswered(said)
            raise StoreError(f"the database {self.name} {said}") from error


def open_store(url: str, image: bytes | None = None) -> Store:
    """The database of an address, as SQLAlchemy writes it. Opens no connection yet. Raises StoreError."""
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        if "@" in (parsed.host or ""):  # the end of a password that was written as it is
            raise ValueError("no host has an @")
    except (ArgumentError, ValueError):  # what they say may quote a part of the password
        raise StoreError(
            "the address of the database cannot be read; write `sqlite:///…` or `postgresql+psycopg://…`, with the"
            " special characters of a password as `%40` and the like"
        ) from None
    if backend == "sqlite":
        from tactful.engine.store.sqlite import SqliteStore

        return SqliteStore(url, image)
    if backend == "postgresql":
        try:
            from tactful.engine.store.postgresql import PostgresStore
        except ModuleNotFoundError as error:
            if error.name != "psycopg":
                raise
            raise StoreError('PostgreSQL wants a driver: pip install "tactful[postgresql]"') from error
        return PostgresStore(url)
    raise StoreError(f"there is no way to keep things in `{backend}`; write `sqlite:///…` or `postgresql+psycopg://…`")


@lru_cache(maxsize=4)
def _statements(kind: str) -> Statements:
    """The bulk statements for a kind of database: compiled once, however many are opened."""
    return Statements(kind)
