"""The engine put together: one object for each part, for the command line, the daemon and the tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tactful.elements import catalogue
from tactful.elements.contract import Element
from tactful.engine.host import Host
from tactful.engine.lifecycle import Lifecycle
from tactful.engine.outbox import Outbox
from tactful.engine.rules.permission import Limit
from tactful.engine.store.database import Store


@dataclass(frozen=True, slots=True)
class Engine:
    """A database with all that acts on it."""

    store: Store
    host: Host
    lifecycle: Lifecycle
    outbox: Outbox

    def close(self) -> None:
        """Close the database."""
        self.store.close()


def open_engine(
    database: str,
    *,
    elements: Mapping[str, type[Element]] | None = None,
    limits: Sequence[Limit] = (),
    transactional: frozenset[str] = frozenset(),
    image: bytes | None = None,
) -> Engine:
    """Open a database, laying it out or bringing it to the newest schema first.

    `elements` is the catalogue, by default all that are installed; `image` is what a database in memory begins
    as (`Store.image`). Raises StoreError where the database cannot be used.
    """
    store = Store(database, image)
    store.upgrade()
    host = Host(store, catalogue() if elements is None else elements, transactional)
    return Engine(store, host, Lifecycle(host), Outbox(host, limits))
