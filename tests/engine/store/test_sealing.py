"""A sealed database refuses to be written to, says why, and can be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress

import pytest
from sqlalchemy import text

from tactful.engine.store.database import Sealed, Store, StoreError, open_store
from tactful.engine.store.sealing import OUT_OF_USE, seal, sealed_with, unseal
from tactful.engine.store.tables import metadata

ANA = "INSERT INTO contact (key, attributes, tags, created_at, changed_at) VALUES ('ana', '{}', '[]', 1, 1)"
WHY = "it's 100% moved to %s, it says \"(here')\""
WORDS = OUT_OF_USE + WHY


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """Sealed, with Ana in it."""
    with closing(open_store(url)) as store:
        store.lay_out()
        run(store, ANA)
        with store.write() as tx:
            seal(tx, "once before")
            seal(tx, WHY)
        yield store


def run(store: Store, sql: str) -> None:
    with store.write(shared=True) as tx:
        tx.execute(text(sql))


def contacts(store: Store) -> list[str]:
    with store.read() as tx:
        return list(tx.execute(text("SELECT key FROM contact")).scalars())


def test_no_table_of_it_takes_a_row(store: Store) -> None:
    for table in [*metadata.tables, "alembic_version"]:
        with pytest.raises(StoreError) as caught:
            run(store, f"INSERT INTO {table} DEFAULT VALUES")
        assert str(caught.value) == f"the database {store.name} {WORDS}"


def test_nothing_in_it_is_changed(store: Store) -> None:
    for sql in (
        "UPDATE contact SET key = 'eve'",
        "DELETE FROM contact",
        f"{ANA} ON CONFLICT DO NOTHING",
        f"{ANA} ON CONFLICT (key) DO UPDATE SET email = 'e'",
        "TRUNCATE TABLE contact" if store.path is None else ANA.replace("INSERT", "INSERT OR REPLACE"),
    ):
        with pytest.raises(StoreError, match="100% moved"):
            run(store, sql)
        assert contacts(store) == ["ana"]


def test_whoever_looks_learns_why(store: Store) -> None:
    with store.read() as tx:
        assert sealed_with(tx) == WORDS
    with pytest.raises(Sealed, match="100% moved"):
        store.keep_to_schema()


def test_it_takes_writes_again_once_it_is_unsealed(store: Store) -> None:
    with store.write() as tx:
        unseal(tx)
        unseal(tx)
    run(store, "UPDATE contact SET key = 'eve'")
    store.keep_to_schema()
    assert contacts(store) == ["eve"]


def test_a_seal_that_was_not_committed_is_none(url: str) -> None:
    with closing(open_store(url)) as store:
        store.lay_out()
        with suppress(KeyboardInterrupt), store.write() as tx:
            seal(tx, WHY)
            raise KeyboardInterrupt
        run(store, ANA)
        assert contacts(store) == ["ana"]
