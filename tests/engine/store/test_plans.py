"""How PostgreSQL finds the rows of a batch: by an index, however large the table, and however little it knows of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection
from tests.engine.store.conftest import Noted

from tactful.engine import lifecycle, outbox
from tactful.engine.optout import do_not_contact, opting
from tactful.engine.store import holding, reading
from tactful.engine.store.database import Store, open_store
from tactful.engine.store.statements import Query, Statements, as_list

MANY = 50_000
BATCH = range(5_000, 6_000)


@pytest.fixture(scope="module", params=["counted lately", "counted when small", "never counted"])
def large(request: pytest.FixtureRequest, postgresql: Any) -> Iterator[Store]:
    """A database with many rows in its large tables, which PostgreSQL counted now, before most of them came, or not
    yet, as when a project begins with a crowd."""
    store = open_store(postgresql.new_database())
    for numbers in (range(100), range(100, MANY)):
        with store.write() as tx:
            _fill(tx, store.statements, numbers)
        if request.param == "counted lately" or (request.param == "counted when small" and numbers[0] == 0):
            with store.write() as tx:
                tx.exec_driver_sql("ANALYZE")
    yield store
    store.close()


def _fill(tx: Connection, write: Statements, numbers: Sequence[int]) -> None:
    write.add_contacts.run(tx, [(n, f"c{n}", f"c{n}@x.example", None, None, "{}", "[]", 1, 1) for n in numbers])
    write.begin_journeys.run(
        tx, [(n, n, 1, 1, 1, "active", "e", 1, 1, 1, n, n, "[]", None, None, None) for n in numbers]
    )
    write.queue_messages.run(
        tx, [(n, 1, n, "e", "email", "s", "marketing", "queued", n, None, 0, 0, None) for n in numbers]
    )
    write.add_events.run(tx, [(n, n, "opened", 1, 1, None, n, 1, 0, f"k{n}") for n in numbers])
    write.join.run(tx, [(n, 1) for n in numbers])
    write.add_blocks.run(tx, [(f"c{n}@x.example", "email", "", "all", "s", None, 1) for n in numbers])
    write.add_block_acts.run(
        tx, [(f"c{n}@x.example", "email", "", "all", "block", "s", None, 1, None, "h") for n in numbers]
    )


def plan_of(store: Store, noted: Noted, what: Any, *arguments: Any) -> str:
    """How what it sends would be carried out."""
    with store.write() as tx, tx.begin_nested() as savepoint:
        with noted() as sent:
            what(tx, *arguments)
        savepoint.rollback()
    (sql, values), *others = sent
    assert not others
    with store.read() as tx:
        return "\n".join(row[0] for row in tx.exec_driver_sql("EXPLAIN " + sql, tuple(values)))


def reads_no_whole_table(plan: str) -> bool:
    plan = plan.replace("Seq Scan on switch", "")  # of a few rows, always
    return "Seq Scan" not in plan and "Hash Join" not in plan and "Merge Join" not in plan


def assert_read_in_order(plan: str) -> None:
    assert reads_no_whole_table(plan), plan
    assert "Sort" not in plan, plan
    assert "Bitmap" not in plan, plan


@pytest.mark.parametrize(("name", "row"), [
    ("move_journeys", lambda n: ("active", "e", 2, 1, n, 1, None, None, None, n, n)),
    ("take_messages", lambda n: ("x", 1, 0, n, 1, n)),
    ("settle_messages", lambda n: ("sent", None, 0, 1, None, None, n, 1, n)),
    ("receive_messages", lambda n: ("sent", 1, n, 1, n)),
    ("withdraw_messages", lambda n: (n, n)),
    ("hurry_messages", lambda n: (n, 1, n)),
    ("leave_messages", lambda n: (n, 1, n)),
    ("use_events", lambda n: (n, n)),
    ("change_contacts", lambda n: ("{}", "[]", 1, n)),
    ("put_contacts", lambda n: (f"c{n}", None, None, None, "{}", "[]", 1, n)),
    ("drop_blocks", lambda n: (f"c{n}@x.example", "email", "", "all")),
    ("part", lambda n: (n, 1)),
])  # fmt: skip
def test_a_batch_of_a_thousand_finds_its_rows_by_an_index(large: Store, noted: Noted, name: str, row: Any) -> None:
    plan = plan_of(large, noted, getattr(large.statements, name).run, [row(n) for n in BATCH])
    assert reads_no_whole_table(plan), plan


NUMBERS, ADDRESSES = as_list(BATCH), as_list(f"c{n}@x.example" for n in BATCH)


@pytest.mark.parametrize(("query", "values"), [
    (reading._contacts, (NUMBERS,)),
    (reading._contacts_by_key, (as_list(f"c{n}" for n in BATCH),)),
    (reading._active, (NUMBERS,)),
    (reading._messages, (NUMBERS,)),
    (reading._sent_by_active, (NUMBERS,)),
    (reading._entries, (NUMBERS, "[1, 2]")),
    (reading._members, (NUMBERS,)),
    (reading._log, (str([[n, 0, 0] for n in BATCH]),)),
    (reading._stands, (NUMBERS,)),
    (reading._keys_seen, (as_list(f"k{n}" for n in BATCH),)),
    (holding._these, (NUMBERS,)),
    (holding._named, (as_list(f"c{n}" for n in BATCH),)),
    (holding._written_to, (NUMBERS,)),
    (holding._told_of, (as_list(f"c{n}" for n in BATCH), NUMBERS)),
    (holding._due, (100, 1_000)),
    (outbox._due, ("a@acme.example", 100, 1_000)),
    (outbox._in_hand, (NUMBERS,)),
    (do_not_contact._blocks, (ADDRESSES,)),
    (do_not_contact._heads, (ADDRESSES,)),
    (opting._waiting, ()),
])  # fmt: skip
def test_what_a_batch_of_a_thousand_reads_is_found_by_an_index(
    large: Store, noted: Noted, query: Query, values: Any
) -> None:
    plan = plan_of(large, noted, query.rows, *values)
    assert reads_no_whole_table(plan), plan


@pytest.mark.parametrize(("query", "values"), [
    (holding._due, (MANY, 200)),
    (outbox._due, ("s", MANY, 200)),
    (opting._waiting, ()),
    (lifecycle._next_standing, (0,)),
])  # fmt: skip
def test_of_a_great_many_that_are_due_some_are_found_without_a_look_at_all(
    large: Store, noted: Noted, query: Query, values: Any
) -> None:
    assert_read_in_order(plan_of(large, noted, query.rows, *values))


@pytest.mark.parametrize("large", ["counted lately", "counted when small"], indirect=True)
@pytest.mark.parametrize(("query", "values"), [
    (lifecycle._inside, (10, 1, 200)),
    (lifecycle._still_inside, (10,)),
])  # fmt: skip
def test_of_a_great_many_who_left_a_flow_none_is_looked_at_again(
    large: Store, noted: Noted, query: Query, values: Any
) -> None:
    assert_read_in_order(plan_of(large, noted, query.rows, *values))
