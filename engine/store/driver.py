"""Statements in the words of the driver, run by the driver itself, whose errors are raised as they are.

What SQLAlchemy does around a small select takes several times as long as the select, and its rows take time to make,
and more to read by name. To make a cursor takes a third of what PostgreSQL's driver needs for one, so a cursor is kept
with its connection for the next time, a statement each; but not where it holds on to much.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

from sqlalchemy import Connection

LITTLE = 50
"""Rows a cursor that is kept may hold on to."""


def fetched(connection: Connection, sql: str, values: Sequence[Any] = ()) -> Sequence[Any]:
    """All rows that a select finds, as plain tuples."""
    cursor = _cursor(connection, sql)
    cursor.execute(sql, values)
    found: Sequence[Any] = cursor.fetchall()
    _keep(connection, sql, cursor, len(found))
    return found


def run(connection: Connection, sql: str) -> None:
    """Statements that nothing is asked of."""
    cursor = _cursor(connection, sql)
    cursor.execute(sql)
    _keep(connection, sql, cursor, 0)


def sent(connection: Connection, sql: str, values: Sequence[Any], size: int) -> int:
    """How many rows of a table a statement changed. `size` tells how many it was given."""
    cursor = _cursor(connection, sql)
    cursor.execute(sql, values)
    changed: int = cursor.rowcount
    _keep(connection, sql, cursor, size)
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


def _keep(connection: Connection, sql: str, cursor: Any, size: int) -> None:
    if size <= LITTLE:
        _kept(connection)[sql] = cursor
    else:
        cursor.close()


def _kept(connection: Connection) -> dict[str, Any]:
    """Cursors by their statements, for as long as the connection to the database lasts."""
    kept: dict[str, Any] = connection.info.setdefault("cursors", {})
    return kept
