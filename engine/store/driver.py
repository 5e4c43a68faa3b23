"""Statements in the words of the driver, run by the driver itself, whose errors are raised as they are.

What SQLAlchemy does around a small select takes several times as long as the select, and its rows take time to make,
and more to read by name. To make a cursor takes a third of what PostgreSQL's driver needs for one, so cursors are kept
with their connection for the next time, one for each statement; but none that would hold on to much.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

from sqlalchemy import Connection

FEW = 50
"""A cursor that is kept holds on to fewer rows than that."""

LONG = 2_000
"""Letters of a text from which on no cursor that was given it is kept."""


def fetched(connection: Connection, sql: str, values: Sequence[Any] = ()) -> Sequence[Any]:
    """All rows that a select finds, as plain tuples."""
    cursor = _cursor(connection, sql)
    cursor.execute(sql, values)
    found: Sequence[Any] = cursor.fetchall()
    _keep(connection, sql, cursor, values, len(found))
    return found


def run(connection: Connection, sql: str) -> None:
    """For PostgreSQL: any number of statements that nothing is asked of, sent as they stand. Its driver would prepare
    what was run a few times; but several at once cannot be, and BEGIN must go where nothing is prepared any more."""
    cursor = _cursor(connection, sql)
    cursor.execute(sql, prepare=False)
    _keep(connection, sql, cursor)


def sent(connection: Connection, sql: str, values: Sequence[Any], size: int) -> int:
    """How many rows of a table a statement changed. `size` tells how many it was given."""
    cursor = _cursor(connection, sql)
    cursor.execute(sql, values)
    changed: int = cursor.rowcount
    _keep(connection, sql, cursor, values, size)
    return changed


def sent_for_each(connection: Connection, sql: str, rows: Sequence[Sequence[Any]]) -> int:
    """The same for a statement that is run for each of many rows."""
    with closing(connection.connection.cursor()) as cursor:
        cursor.executemany(sql, rows)
        changed: int = cursor.rowcount
        return changed


def _cursor(connection: Connection, sql: str) -> Any:
    """The caller's, until it is kept: one that raised is not used again."""
    return _kept(connection).pop(sql, None) or connection.connection.cursor()


def _keep(connection: Connection, sql: str, cursor: Any, values: Sequence[Any] = (), rows: int = 0) -> None:
    if rows >= FEW or any(isinstance(value, str) and len(value) >= LONG for value in values):
        cursor.close()
    else:
        _kept(connection)[sql] = cursor


def _kept(connection: Connection) -> dict[str, Any]:
    """Cursors by their statements, for as long as the connection to the database lasts."""
    kept: dict[str, Any] = connection.info.setdefault("cursors", {})
    return kept
