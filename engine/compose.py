"""The engine put together: one object for each part, for the command line, the daemon and the tests."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from tactful.elements import catalogue
from tactful.elements.contract import Element
from tactful.engine.enrolments import Enrolments
from tactful.engine.host import Host
from tactful.engine.keyring import keyring_of
from tactful.engine.lifecycle import Lifecycle
from tactful.engine.optout.do_not_contact import DoNotContactList
from tactful.engine.outbox import Outbox
from tactful.engine.project import Project
from tactful.engine.rules.permission import NO_POLICY, Policy
from tactful.engine.store.database import Store, open_store
from tactful.engine.store.tally import Observer
from tactful.engine.telling import Teller
from tactful.engine.under_way import UnderWay


@dataclass(frozen=True, slots=True)
class Engine:
    """A database with all that acts on it."""

    store: Store
    host: Host
    teller: Teller
    lifecycle: Lifecycle
    enrolments: Enrolments
    under_way: UnderWay
    outbox: Outbox
    do_not_contact: DoNotContactList

    def close(self) -> None:
        """Tell for those who asked, and close the database."""
        self.teller.close()
        self.store.close()


def open_engine(
    database: str,
    *,
    elements: Mapping[str, type[Element]] | None = None,
    policy: Policy = NO_POLICY,
    transactional: frozenset[str] = frozenset(),
    secret: str | None = None,
    image: bytes | None = None,
    observer: Observer | None = None,
) -> Engine:
    """Open a database, laying it out first where it is new.

    `elements` is the catalogue, by default all that are installed; `policy` and `secret` (`keyring.py`) are the
    project's own; `image` is what a database in memory begins as (`Store.image`); `observer` is told of what is done.
    Raises WrongSchema where another version of tactful laid the database out (`upgrading.py`), ShortSecret where it
    would begin with one, and StoreError where it cannot be used.
    """
    store = open_store(database, image)
    if observer is not None:
        store.observer = observer
    with ExitStack() as where_it_fails:
        where_it_fails.callback(store.close)
        store.lay_out()
        do_not_contact = DoNotContactList(store.statements, keyring_of(store, secret))
        host = Host(store, catalogue() if elements is None else elements, do_not_contact, transactional)
        lifecycle, enrolments = Lifecycle(host), Enrolments(host)
        under_way = UnderWay(host, lifecycle, enrolments)
        outbox = Outbox(host, policy)
        where_it_fails.pop_all()
        return Engine(store, host, Teller(host), lifecycle, enrolments, under_way, outbox, do_not_contact)


def open_engine_of(project: Project, observer: Observer | None = None) -> Engine:
    """The engine on a project's database, with the project's policy. Raises StoreError, ShortSecret, and NotSet where
    an environment variable is missing."""
    return open_engine(
        project.database_url(), policy=project.policy, transactional=project.transactional, secret=project.own_secret(),
        observer=observer,
    )  # fmt: skip
