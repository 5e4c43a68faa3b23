"""What the tests of the store share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tactful.engine.store.database import IN_MEMORY, Store, open_store


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A database with all tables and nothing in them, of each kind."""
    url = request.getfixturevalue("postgresql").new_database() if request.param == "postgresql" else IN_MEMORY
    opened = open_store(url)
    opened.upgrade()
    yield opened
    opened.close()
