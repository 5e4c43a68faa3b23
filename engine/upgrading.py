"""Bringing a database that an older tactful laid out to the schema of this version: while nobody works on it.

A daemon of the older version knows nothing of the new schema, and there is no way back but a backup. So it is done by
whoever starts to work (`tactful serve`) or was asked to (`tactful migrate`), and never in passing. Whoever works all
the same, for nobody could know of it, looks whether the schema is still its own, and ends where it is not.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog
from sqlalchemy import Connection

from tactful.engine.clock import Clock
from tactful.engine.running import AlreadyRunning
from tactful.engine.store.database import Store, StoreError, WrongSchema
from tactful.engine.store.migrations import newest, schema_of, upgrade
from tactful.engine.workers import LEASE_MS, at_work

SCHEMA_SECONDS = 1.0

log = structlog.get_logger()


STOP_FIRST = f"stop it first; one that was killed counts as alive for {LEASE_MS // 1000} seconds"


def is_behind(store: Store) -> bool:
    """Whether an older tactful laid the database out. Raises WrongSchema where a newer one did, and StoreError."""
    is_there = not store.in_memory and (store.path is None or store.path.exists())
    return is_there and schema_of(store) not in {None, newest()}


def bring_up_to_date(store: Store, clock: Clock, begins: Callable[[str, str], None]) -> None:
    """Bring a database that is behind to the newest schema. Where it is a file, the caller holds its lock.

    `begins` is told which schema it has and which it will have. Raises AlreadyRunning while a daemon works on it.
    """

    def alone(tx: Connection, has: str) -> None:
        if who := at_work(store, tx, clock.now()):
            raise AlreadyRunning(
                f"the database {store.name} has the schema of an older tactful ({has}; this one knows {newest()}), and "
                f"a daemon of it still works there ({', '.join(who)}); {STOP_FIRST}"
            )
        begins(has, newest())

    upgrade(store, alone)


class SchemaWatch:
    """Looks whether a database still has the schema of this version, and takes its writes: once in `SCHEMA_SECONDS` at
    most, and only after others changed something. Used by one thread."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._unseen = True
        self._look_at = 0.0

    def look(self, changed: bool) -> None:
        """Raises WrongSchema, and says so in the log, where it has not. `changed` tells whether others committed
        anything since the last call. A database that is away is looked at when it is back."""
        self._unseen = self._unseen or changed
        if not self._unseen or self._clock.monotonic() < self._look_at:
            return
        self._look_at = self._clock.monotonic() + SCHEMA_SECONDS
        try:
            self._store.keep_to_schema()
        except WrongSchema as error:
            log.error("the database is not to be worked on any more, so this process ends", why=str(error))
            raise
        except StoreError:
            return
        self._unseen = False
