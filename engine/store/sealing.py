"""A database that takes no more writes: it refuses them itself, whoever asks, in the words it was sealed with.

So nothing that is told to a process which still knows the old database is lost there unseen: it fails, and says why.
What is in it can be read as before.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Connection, CursorResult

from tactful.engine.store.tables import metadata

OUT_OF_USE = "is not in use any more: "
"""How all begins that a sealed database says."""

_NAME = "tactful_sealed"
_REFUSES_ON_POSTGRESQL = (
    f"CREATE FUNCTION {_NAME}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE '%', TG_ARGV[0]; END $$"
)
_UNSEAL_POSTGRESQL = f"DROP FUNCTION IF EXISTS {_NAME}() CASCADE"  # with the triggers that call it
_SEALS_OF_POSTGRESQL = (
    f"SELECT pg_get_triggerdef(oid) AS definition FROM pg_trigger WHERE tgfoid = to_regproc('{_NAME}')"
)
_SEALS_OF_SQLITE = f"SELECT name, sql AS definition FROM sqlite_master WHERE type = 'trigger' AND name LIKE '{_NAME}%'"

_WORDS = re.compile(r"'((?:[^']|'')*)'\)")


def seal(tx: Connection, why: str) -> None:
    """Let a database, which has the newest schema, refuse all writes from the end of this transaction on."""
    unseal(tx)
    literal = "'" + (OUT_OF_USE + why).replace("'", "''") + "'"
    on_postgresql = tx.dialect.name == "postgresql"
    if on_postgresql:
        _run(tx, _REFUSES_ON_POSTGRESQL)
    for table in [*metadata.tables, "alembic_version"]:  # the last, too: nobody brings it to a newer schema
        if on_postgresql:
            before = f"BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}"
            _run(tx, f"CREATE TRIGGER {_NAME} {before} EXECUTE FUNCTION {_NAME}({literal})")
            continue
        for event in ("INSERT", "UPDATE", "DELETE"):
            name, refuse = f"{_NAME}_{table}_{event}", f"SELECT RAISE(ABORT, {literal})"
            _run(tx, f"CREATE TRIGGER {name} BEFORE {event} ON {table} BEGIN {refuse}; END")


def unseal(tx: Connection) -> None:
    """Let it take writes again, where it was sealed."""
    if tx.dialect.name == "postgresql":
        _run(tx, _UNSEAL_POSTGRESQL)
        return
    for seal in _run(tx, _SEALS_OF_SQLITE).all():
        _run(tx, f"DROP TRIGGER {seal.name}")


def sealed_with(tx: Connection) -> str | None:
    """The words a database was sealed with; None where it takes writes."""
    seal = _run(tx, _SEALS_OF_POSTGRESQL if tx.dialect.name == "postgresql" else _SEALS_OF_SQLITE).first()
    said = None if seal is None else _WORDS.search(seal.definition)
    return None if said is None else said[1].replace("''", "'")


def _run(tx: Connection, sql: str) -> CursorResult[Any]:
    return tx.exec_driver_sql(sql, execution_options={"no_parameters": True})  # a % is a %
