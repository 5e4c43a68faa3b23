"""What the tests of the store share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.pool.base import _ConnectionFairy

from tactful.engine.store import driver
from tactful.engine.store.database import IN_MEMORY, Store, open_store


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A database with all tables and nothing in them, of each kind."""
    url = request.getfixturevalue("postgresql").new_database() if request.param == "postgresql" else IN_MEMORY
    opened = open_store(url)
    opened.lay_out()
    yield opened
    opened.close()


class Noting:
    """A cursor that notes what it is given."""

    def __init__(self, cursor: Any, sent: list[tuple[str, Any]]) -> None:
        self._cursor, self._sent = cursor, sent

    def execute(self, sql: str, *values: Any) -> Any:
        self._sent.append((sql, *(values or (None,))))
        return self._cursor.execute(sql, *values)

    def executemany(self, sql: str, values: Any) -> Any:
        self._sent.append((sql, values))
        return self._cursor.executemany(sql, values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


Noted = Callable[[], AbstractContextManager[list[tuple[str, Any]]]]


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> Noted:
    """Notes each statement that is sent in a block, with its values."""

    @contextmanager
    def noting() -> Iterator[list[tuple[str, Any]]]:
        sent: list[tuple[str, Any]] = []
        cursor = _ConnectionFairy.cursor

        def of(connection: PoolProxiedConnection, *arguments: Any) -> Noting:
            return Noting(cursor(connection, *arguments), sent)  # type: ignore[arg-type]

        with monkeypatch.context() as patched:
            patched.setattr(_ConnectionFairy, "cursor", of)
            patched.setattr(driver, "_kept", lambda _connection: {})  # each statement asks for a cursor of its own
            yield sent

    return noting
