"""Moving a project to another database: every row as it is, so that all journeys go on where they stood.

Numbers, keys and the chained history stay the same; so do the links in messages that went out long ago.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Table, func, insert, select, tuple_

from tactful.elements.contract import Instant
from tactful.engine.store.database import Store
from tactful.engine.store.numbering import count_on
from tactful.engine.store.sealing import seal, unseal
from tactful.engine.store.tables import metadata

ROWS = 1_000

_LEFT_BEHIND = ("key", "lane", "worker")
"""What may stand in a database to move to: it made a key for itself, and daemons that ended badly left the rest."""


class NotEmpty(Exception):
    """The database to move to holds something already."""


class NothingToMove(Exception):
    """The database to move from holds nothing of a project."""


@dataclass(frozen=True, slots=True)
class Moved:
    """How many rows each table had, by its name."""

    rows: dict[str, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.rows.values())


def count_rows(source: Store) -> int:
    """How many rows there are to move."""
    with source.read() as tx:
        return sum(int(tx.scalar(select(func.count()).select_from(table)) or 0) for table in metadata.sorted_tables)


def move(source: Store, target: Store, now: Instant, moved: Callable[[int], None] = lambda rows: None) -> Moved:
    """Copy everything, in one transaction of the target: all of it, or nothing. Both have the newest schema, and no
    daemon works on either. The source takes no more writes from the beginning on: whoever else would write to it is
    refused. It takes them again where the move fails; one that was killed leaves it sealed, and may be begun anew.

    `moved` is told how many rows have come so far. Raises NotEmpty and NothingToMove.
    """
    with target.read() as there:
        for table in metadata.sorted_tables:
            if table.name not in _LEFT_BEHIND and _holds_rows(there, table):
                raise NotEmpty(f"the database {target.name} is not empty: it has rows in `{table.name}`")
    with source.read() as here:
        if not any(_holds_rows(here, table) for table in metadata.sorted_tables if table.name not in _LEFT_BEHIND):
            raise NothingToMove(f"the database {source.name} holds no contacts, no flows and no Do Not Contact list")
    day = datetime.fromtimestamp(now / 1000, UTC).date()
    with source.write() as here:
        seal(here, f"on {day} the project moved to {target.name}; name that one under `database:`")
    try:
        return _copied(source, target, moved)
    except BaseException:
        with source.write() as here:
            unseal(here)
        raise


def moved_to(target: Store, words: str) -> bool:
    """Whether a database that is sealed with these words moved to this one; that may have been broken off."""
    return f" moved to {target.name};" in words


def _copied(source: Store, target: Store, moved: Callable[[int], None]) -> Moved:
    rows: dict[str, int] = {}
    with source.read() as here, target.write() as there:
        for name in _LEFT_BEHIND:  # the keys, too: what was signed was signed by the source's
            there.execute(metadata.tables[name].delete())
        for table in metadata.sorted_tables:
            rows[table.name] = _copy(here, there, table, lambda done: moved(sum(rows.values()) + done))
        count_on(there)  # the rows brought their numbers with them
        if there.dialect.name == "postgresql":
            there.exec_driver_sql("ANALYZE")  # or it guesses at first, and reads whole tables for a few rows
    return Moved(rows)


def _holds_rows(tx: Connection, table: Table) -> bool:
    return tx.execute(select(table).limit(1)).first() is not None


def _copy(here: Connection, there: Connection, table: Table, moved: Callable[[int], None]) -> int:
    key = list(table.primary_key.columns)
    after: tuple[object, ...] | None = None
    done = 0
    while True:
        page = select(table).order_by(*key).limit(ROWS)
        if after is not None:
            page = page.where(tuple_(*key) > tuple_(*after))
        found = here.execute(page).all()
        if not found:
            return done
        there.execute(insert(table), [dict(row._mapping) for row in found])
        after = tuple(found[-1]._mapping[column] for column in key)
        done += len(found)
        moved(done)
