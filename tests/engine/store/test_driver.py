"""Statements run by the driver, whose cursors are kept."""

from __future__ import annotations

from contextlib import suppress

import pytest
from sqlalchemy import Connection, bindparam, select

from tactful.engine.store import driver
from tactful.engine.store.database import Store
from tactful.engine.store.statements import CONTACT, Query

MANY = driver.FEW
KEYS = "SELECT key FROM contact ORDER BY id"

_named = Query(select(CONTACT.c.id).where(CONTACT.c.key == bindparam("key")), "key")
_keys = Query(select(CONTACT.c.key).order_by(CONTACT.c.id))


def people(store: Store, tx: Connection, numbers: range) -> None:
    store.statements.add_contacts.run(tx, [(n, f"c{n}", None, None, None, "{}", "[]", 1, 1) for n in numbers])


def test_a_cursor_is_kept_for_the_next_time(store: Store) -> None:
    with store.write() as tx:
        assert driver.fetched(tx, KEYS) == []
        kept = tx.info["cursors"][KEYS]
        people(store, tx, range(3))
        assert [key for (key,) in driver.fetched(tx, KEYS)] == ["c0", "c1", "c2"]
        assert tx.info["cursors"][KEYS] is kept


def test_one_that_holds_much_is_not(store: Store) -> None:
    with store.write() as tx:
        people(store, tx, range(MANY))
        assert len(driver.fetched(tx, KEYS)) == MANY
        assert KEYS not in tx.info["cursors"]
        assert not [sql for sql in tx.info["cursors"] if sql.startswith("INSERT INTO contact")]


def test_one_that_was_given_much_is_not(store: Store) -> None:
    with store.write() as tx:
        for key, kept in (("k", 1), ("k" * driver.LONG, 0)):
            assert _named.rows(tx, key) == []
            assert len([sql for sql in tx.info["cursors"] if "FROM contact" in sql]) == kept


def test_one_that_raised_is_not(store: Store) -> None:
    wrong = "SELECT count(*) FROM nowhere"
    with pytest.raises(Exception, match="nowhere"), store.write() as tx:
        driver.fetched(tx, wrong)
    with store.read() as tx:
        assert wrong not in tx.info.get("cursors", {})
        assert driver.fetched(tx, KEYS) == []


def test_a_look_sees_what_is_committed(store: Store) -> None:
    assert store.look(_keys) == []
    with store.write() as tx:
        people(store, tx, range(2))
    assert [key for (key,) in store.look(_keys)] == ["c0", "c1"]
    with suppress(ZeroDivisionError), store.write() as tx:
        people(store, tx, range(2, 4))
        raise ZeroDivisionError
    assert [key for (key,) in store.look(_keys)] == ["c0", "c1"]
