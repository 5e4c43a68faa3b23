"""Ids of contacts, journeys and events: never given twice, and for one contact always rising.

On SQLite the next is one more than the newest, for there is one writer. On PostgreSQL a sequence counts, for there may
be several, and one that does not commit leaves a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import count
from typing import NamedTuple

from sqlalchemy import Column, Connection, func, select, text

from tactful.engine.store.driver import fetched
from tactful.engine.store.statements import Query
from tactful.engine.store.tables import metadata

_AT_FIRST, _AT_ONCE = 16, 256


def newest(tx: Connection, column: Column[int]) -> int:
    """An id that no row's is above, and that all ids to come are; 0 where there is no row yet."""
    if tx.dialect.name == "postgresql":
        return int(fetched(tx, _sequence(column).newest)[0][0])
    return int(_newest(column).rows(tx)[0][0])


@cache
def _newest(column: Column[int]) -> Query:
    return Query(select(func.coalesce(func.max(column), 0)))


def next_ids(tx: Connection, column: Column[int], number: int) -> Iterator[int]:
    """So many new ids, rising."""
    if tx.dialect.name == "postgresql":
        return iter([row[0] for row in fetched(tx, _sequence(column).next, [number])])
    first = newest(tx, column) + 1
    return iter(range(first, first + number))


def counter(tx: Connection, column: Column[int], about: int) -> Callable[[], int]:
    """Gives a new id whenever it is called, within this transaction; `about` so many times at most, as far as is known.
    Nothing is read before the first call."""
    return _endless(tx, column, max(1, min(about, _AT_FIRST))).__next__


def _endless(tx: Connection, column: Column[int], some: int) -> Iterator[int]:
    while tx.dialect.name == "postgresql":  # what is not used of some is lost: few are, where few are asked for
        yield from next_ids(tx, column, some)
        some = min(2 * some, _AT_ONCE)
    yield from count(newest(tx, column) + 1)


def count_on(tx: Connection) -> None:
    """After rows that brought their ids with them: go on behind the newest of each table."""
    if tx.dialect.name != "postgresql":
        return
    for table in metadata.sorted_tables:
        column = table.autoincrement_column
        if column is None:
            continue
        sequence = tx.scalar(select(func.pg_get_serial_sequence(f'"{table.name}"', column.name)))
        if sequence is not None:
            tx.execute(
                text(f'SELECT setval(:sequence, (SELECT max("{column.name}") FROM "{table.name}"))'),
                {"sequence": sequence},
            )


class _Sequence(NamedTuple):
    """What PostgreSQL is asked of the ids of a column."""

    newest: str
    next: str


@cache
def _sequence(column: Column[int]) -> _Sequence:
    name = f"{column.table.name}_{column.name}_seq"
    return _Sequence(
        f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {name}",
        f"SELECT nextval('{name}') FROM generate_series(1, %s)",
    )
