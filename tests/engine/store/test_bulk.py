"""Many rows in one statement: a batch does what its rows would do one after the other, on both kinds of databases."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Table, func, insert, select
from tests.engine.store.conftest import Noted

from tactful.engine.store import bulk
from tactful.engine.store.bulk import Bulk, Row
from tactful.engine.store.database import Store
from tactful.engine.store.statements import (
    BLOCK,
    BLOCK_ACT,
    CONTACT,
    EVENT,
    GOAL,
    JOURNEY,
    MEMBERSHIP,
    MESSAGE,
    VISIT,
    Statements,
)

HARD = (
    "",
    " ",
    "null",
    "NULL",
    '"',
    "\\",
    '\\"',
    "{}",
    "{a,b}",
    ",",
    "'",
    "%s",
    "%",
    "a\nb\r\n\t",
    "\x01\x1f\x7f",
    "ć€😀",
)
"""Texts that something between here and the table may take for something else."""


def content(tx: Connection, of: Table) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in tx.execute(select(of).order_by(*of.primary_key))]


def contacts(numbers: Iterable[int], attributes: str = "{}") -> list[Row]:
    return [(n, f"c{n}", None, None, None, attributes, "[]", n, n) for n in numbers]


def messages(tx: Connection, journeys: Iterable[int], **what: Any) -> None:
    """Queued messages, two for each journey."""
    row = {"element": "e", "channel": "sms", "sender": "s", "purpose": "marketing", "state": "queued", "due_at": 1,
           "tries": 0, "unknowns": 0, **what}  # fmt: skip
    tx.execute(
        insert(MESSAGE), [{"journey": n, "step": step, "contact": n, **row} for n in journeys for step in (1, 2)]
    )


@pytest.fixture(params=["sent as arrays", "looked at"])
def looked_at(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once as few rows are sent, and once as many are."""
    monkeypatch.setattr(bulk, "WORTH_A_LOOK", 1_000_000 if request.param == "sent as arrays" else 1)


# --- values


def test_all_values_come_back_as_they_were_given(store: Store) -> None:
    texts = [*HARD, *(2 * each for each in HARD), None, *reversed(HARD)]
    numbers = [0, -1, 1, 2**31, -(2**63), 2**63 - 1, None]
    given = [
        (n + 1, n, "e", n, n, text, numbers[n % len(numbers)], None, 0, None if n % 2 else f"k{n}{text}")
        for n, text in enumerate(texts)
    ]
    columns = [EVENT.c[name] for name in store.statements.add_events.columns]
    with store.write() as tx:
        assert store.statements.add_events.run(tx, given) == len(given)
        assert [tuple(row) for row in tx.execute(select(*columns).order_by(EVENT.c.id))] == given


@pytest.mark.usefixtures("looked_at")
@pytest.mark.parametrize("values", [[None], [None, None], ["a"], [""], ["", ""], ["", None], ["NULL"], ["null", None]])
def test_a_column_may_be_all_of_one_kind(store: Store, values: list[str | None]) -> None:
    rows = [(n, 1, "e", "x", 1, 1, None, value, n) for n, value in enumerate(values)]
    with store.write() as tx:
        store.statements.add_visits.run(tx, rows)
        assert [row[-2] for row in content(tx, VISIT)] == values


@pytest.mark.usefixtures("looked_at")
def test_a_text_postgresql_cannot_hold_is_refused_whole_and_no_value_slips_into_another_row(postgresql: Any) -> None:
    from tactful.engine.store.database import open_store

    store = open_store(postgresql.new_database())
    for texts in (["a", "b\0c", "d"], ["a\0b", None], ["\0"], ["a\0", "\0b"], ["a", "\ud800"]):
        rows = [(n, 1, text, "x", 1, 1, None, None, n) for n, text in enumerate(texts)]
        with pytest.raises((psycopg.Error, UnicodeEncodeError)), store.write() as tx:
            store.statements.add_visits.run(tx, rows)
    with store.read() as tx:
        assert content(tx, VISIT) == []
    store.close()


@pytest.mark.usefixtures("looked_at")
def test_what_is_no_number_is_refused_where_one_belongs(postgresql: Any) -> None:
    from tactful.engine.store.database import open_store

    store = open_store(postgresql.new_database())
    for wrong in ("1", "1,2", "{1}", '1"', "x", "NULL", 1.5):
        with pytest.raises(psycopg.Error), store.write() as tx:
            store.statements.join.run(tx, [(1, 1), (wrong, 2)])
        with pytest.raises(psycopg.Error), store.write() as tx:
            store.statements.join.run(tx, [(1, wrong), (2, wrong)])
    store.close()


def test_no_rows_are_no_statement(store: Store, noted: Noted) -> None:
    with store.write() as tx, noted() as sent:
        assert store.statements.begin_journeys.run(tx, []) == 0
        assert sent == []


# --- how often


def test_a_batch_is_one_statement_whatever_stands_in_it(store: Store, noted: Noted) -> None:
    with store.write() as tx, noted() as sent:
        for size in (1, 2, bulk.WORTH_A_LOOK - 1, 1_000):
            store.statements.add_contacts.run(tx, contacts(range(size * 10, size * 11)))
        store.statements.change_contacts.run(tx, [("{}", "[]", 2**40, n) for n in range(2_000)])
        assert len(sent) == 5
    assert len({sql for sql, _ in sent[:3]}) == 1, "prepared once"


def test_what_all_of_many_rows_have_is_sent_once(postgresql: Any, noted: Noted) -> None:
    from tactful.engine.store.database import open_store

    text = '{"a":"%s, \\"b"}'
    store = open_store(postgresql.new_database())
    with store.write() as tx:
        with noted() as sent:
            for size in (bulk.WORTH_A_LOOK, 1_000, 2_000):
                people = contacts(range(size * 10, size * 11), text)
                assert store.statements.add_contacts.run(tx, people) == size
            changes = [("{}", "[]", 2**40, n) for n in range(10_000, 11_000)]
            assert store.statements.change_contacts.run(tx, changes) == 1_000
        assert len({sql for sql, _ in sent[:3]}) == 1, "prepared once"
        assert [list(values).count(text) for _, values in sent] == [1, 1, 1, 0]
        found = {row[0]: row[5:] for row in content(tx, CONTACT)}
    assert found[20_000] == (text, "[]", 20_000, 20_000)
    assert found[10_999] == ("{}", "[]", 10_999, 2**40)
    store.close()


def test_a_great_many_rows_are_sent_in_parts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 100)
    with store.write() as tx:
        assert store.statements.join.run(tx, [(n, 1) for n in range(950)]) == 950
        assert store.statements.join.run(tx, [(n, 1) for n in range(1_050)]) == 100
        assert tx.scalar(select(func.count()).select_from(MEMBERSHIP)) == 1_050


def test_it_says_how_many_rows_of_the_table_it_changed(store: Store) -> None:
    with store.write() as tx:
        messages(tx, [1, 2])
        assert store.statements.withdraw_messages.run(tx, [(1, 1), (7, 7)]) == 2
        assert store.statements.take_messages.run(tx, [("x", 1, 0, 2, 1, 2), ("x", 1, 0, 2, 3, 2)]) == 1
        assert store.statements.join.run(tx, [(1, 1), (1, 1), (2, 1)]) == 2
        assert store.statements.part.run(tx, [(1, 1), (1, 1), (3, 1)]) == 1


# --- the same one twice


def test_of_two_rows_for_the_same_one_the_later_counts(store: Store) -> None:
    with store.write() as tx:
        messages(tx, [1, 2])
        received = [("sent", 5, 1, 1, 1), ("sent", 6, 2, 1, 2), ("delivered", 7, 1, 1, 1), ("failed", 8, 1, 1, 1)]
        store.statements.receive_messages.run(tx, received)
        found = {(row.journey, row.step): (row.state, row.sent_at) for row in tx.execute(select(MESSAGE))}
    assert found == {(1, 1): ("failed", 5), (1, 2): ("queued", None), (2, 1): ("sent", 6), (2, 2): ("queued", None)}


def test_what_builds_on_what_was_there_builds_on_the_row_before(store: Store) -> None:
    with store.write() as tx:
        messages(tx, [1])
        store.statements.take_messages.run(tx, [("a", 1, 0, 1, 1, 1), ("b", 2, 0, 1, 1, 1), ("c", 3, 0, 1, 1, 1)])
        found = tx.execute(select(MESSAGE.c.tries, MESSAGE.c.destination, MESSAGE.c.taken_at).order_by(MESSAGE.c.step))
        assert [tuple(row) for row in found] == [(3, "c", 3), (0, None, None)]


def test_of_two_rows_that_would_be_put_in_the_first_stays(store: Store) -> None:
    rows = [("x", "sms", "", "all", "first", None, 1), ("x", "sms", "", "all", "second", None, 2)]
    with store.write() as tx:
        store.statements.add_blocks.run(tx, rows)
        store.statements.add_blocks.run(tx, rows[1:])
        assert [row[4] for row in content(tx, BLOCK)] == ["first"]


def test_two_of_the_same_key_are_an_error_where_nothing_else_is_said(store: Store) -> None:
    visits = [(1, step, "e", "x", 1, 1, None, None, 1) for step in (1, 2, 1)]
    with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError)), store.write() as tx:
        store.statements.add_visits.run(tx, visits)
    with store.read() as tx:
        assert content(tx, VISIT) == []


def test_of_two_contacts_of_the_same_key_the_first_counts(store: Store) -> None:
    with store.write() as tx:
        assert store.statements.add_contacts.run(tx, contacts([1, 2, 1])) == 2
        assert [row[0] for row in content(tx, CONTACT)] == [1, 2]


def test_ids_that_the_database_gives_are_in_the_order_of_the_rows(store: Store) -> None:
    rows = [(f"to{n}", "sms", "", "all", "block", "s", None, n, None, "h") for n in range(2_500)]
    with store.write() as tx:
        store.statements.add_block_acts.run(tx, rows[:1_000])
        store.statements.add_block_acts.run(tx, rows[1_000:])
        found = tx.execute(select(BLOCK_ACT.c.id, BLOCK_ACT.c.at).order_by(BLOCK_ACT.c.id)).all()
    assert [tuple(row) for row in found] == [(n + 1, n) for n in range(2_500)]


# --- a batch is as its rows, one after the other

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4) | st.sampled_from(HARD)
times = st.integers(-(2**63), 2**63 - 1)
keys = st.integers(1, 3)
steps = st.integers(1, 2)
maybe_text, maybe_time = st.none() | texts, st.none() | times

WRITES: dict[str, tuple[Table, st.SearchStrategy[Row]]] = {
    "move_journeys": (JOURNEY, st.tuples(texts, maybe_text, steps, times, maybe_time, times, maybe_text, maybe_time,
                                         maybe_text, keys, keys)),
    "stand_still": (JOURNEY, st.tuples(keys, keys)),
    "take_messages": (MESSAGE, st.tuples(texts, times, steps, keys, steps, keys)),
    "settle_messages": (MESSAGE, st.tuples(texts, maybe_time, steps, maybe_time, maybe_text, maybe_text, keys, steps,
                                             keys)),
    "receive_messages": (MESSAGE, st.tuples(texts, maybe_time, keys, steps, keys)),
    "withdraw_messages": (MESSAGE, st.tuples(keys, keys)),
    "hurry_messages": (MESSAGE, st.tuples(keys, steps, keys)),
    "leave_messages": (MESSAGE, st.tuples(keys, steps, keys)),
    "change_contacts": (CONTACT, st.tuples(texts, texts, times, keys)),
    "add_blocks": (BLOCK, st.tuples(st.sampled_from(["a", "b"]), texts, texts, texts, texts, maybe_text, times)),
    "drop_blocks": (BLOCK, st.tuples(st.sampled_from(["a", "b"]), *[st.sampled_from(["", "x"])] * 3)),
    "reach_goals": (GOAL, st.tuples(keys, st.sampled_from(["", "x"]), steps, times, keys)),
    "join": (MEMBERSHIP, st.tuples(keys, steps)),
    "part": (MEMBERSHIP, st.tuples(keys, steps)),
}  # fmt: skip


def something_in_all(tx: Connection, statements: Statements) -> None:
    statements.begin_journeys.run(
        tx, [(n, n, 1, 1, 1, "active", "e", 1, 1, 1, 1, 1, "[]", None, None, None) for n in (1, 2, 3)]
    )
    messages(tx, [1, 2, 3])
    statements.add_contacts.run(tx, contacts([1, 2, 3]))
    statements.add_blocks.run(tx, [("a", "x", "", "x", "s", None, 1), ("b", "", "", "", "s", None, 1)])
    statements.reach_goals.run(tx, [(1, "x", 1, 1, 1)])
    statements.join.run(tx, [(1, 1), (2, 2)])


def undone(tx: Connection, act: Callable[[], object], of: Table) -> list[tuple[Any, ...]]:
    """What a table holds after an act, which is taken back."""
    with tx.begin_nested() as savepoint:
        act()
        found = content(tx, of)
        savepoint.rollback()
    return found


@pytest.mark.usefixtures("looked_at")
@pytest.mark.parametrize("name", WRITES)
def test_a_batch_does_what_its_rows_do_one_after_the_other(store: Store, name: str) -> None:
    of, strategy = WRITES[name]
    statement: Bulk = getattr(store.statements, name)

    @settings(suppress_health_check=[HealthCheck.too_slow], max_examples=min(60, settings().max_examples))
    @given(st.lists(strategy, max_size=8), st.sets(st.integers(0, len(statement.columns) - 1)))
    def holds(rows: list[Row], same: set[int]) -> None:
        rows = [tuple(rows[0][n] if n in same else value for n, value in enumerate(row)) for row in rows]

        def each() -> None:
            for row in rows:
                statement.run(tx, [row])

        assert undone(tx, lambda: statement.run(tx, rows), of) == undone(tx, each, of)

    with store.write() as tx:
        something_in_all(tx, store.statements)
        holds()


def test_every_write_is_tried_or_only_puts_in() -> None:
    tried = {*WRITES, "use_events", "put_contacts"}  # like `withdraw_messages` and `change_contacts`
    assert {name for name in vars(Statements("sqlite")) if not name.startswith(("add_", "begin_", "queue_"))} <= tried
