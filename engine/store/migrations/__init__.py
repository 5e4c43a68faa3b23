"""The steps from one schema to the next: a new database takes all of them at once, one that an older tactful laid out
those it has not taken yet, when nobody works on it (`upgrading.py`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from tactful.engine.store.database import StoreError, WrongSchema
from tactful.engine.store.tables import metadata

if TYPE_CHECKING:
    from tactful.engine.store.database import Store


def lay_out(store: Store) -> None:
    """Lay out a database that is new, in one transaction; one that has the newest schema stays as it is, quickly.

    Raises WrongSchema where an older or a newer tactful laid it out, StoreError where another program did.
    """
    has = schema_of(store)
    if has is None:
        with store.write() as tx:
            _take_steps(tx)
    elif has != newest():
        raise WrongSchema(
            f"the database {store.name} has the schema of an older tactful ({has}; this one knows {newest()}); "
            "`tactful serve` brings it up to date when it starts, `tactful migrate` without starting anything"
        )


def upgrade(store: Store, first: Callable[[Connection, str], None]) -> str | None:
    """Bring a database that lasts to the newest schema; the schema it had, None where it was new or had the newest.

    All steps happen in one transaction, together or not at all, and nobody else writes meanwhile. Where there are any,
    `first` is called in it, with the schema there is: what it raises leaves all as it was. Raises as `schema_of` does.
    """
    has = schema_of(store)
    if has == newest():
        return None
    with store.write() as tx:
        has = _schema_in(tx)  # another may have been quicker
        if has == newest():
            return None
        if has is not None:
            first(tx, has)
        _take_steps(tx)
    return has


def schema_of(store: Store) -> str | None:
    """The schema that a database has, an older one or the newest; None where it has none yet. Raises WrongSchema where
    it is a newer one, StoreError where another program laid it out."""
    steps = _steps()
    with store.read() as tx:
        has = _schema_in(tx)
        tables = set(inspect(tx).get_table_names())
    if has is None and tables <= {"alembic_version"}:
        return None
    if has is None or has not in {step.revision for step in steps.walk_revisions()}:
        if has is not None and tables >= set(metadata.tables):
            raise WrongSchema(
                f"the database {store.name} is of a newer tactful (schema {has}; this one knows {newest()}); "
                "upgrade tactful"
            )
        raise _of_another_program(store, tables)
    return has


def is_newest(tx: Connection) -> bool:
    """Whether a database, which was opened once, has the schema that this version knows as its newest."""
    return _schema_in(tx) == newest()


@lru_cache(maxsize=1)
def newest() -> str:
    """The schema that this version of tactful works on."""
    head = _steps().get_current_head()
    assert head is not None, "there are steps"
    return head


def _schema_in(tx: Connection) -> str | None:
    return MigrationContext.configure(tx).get_current_revision()


def _take_steps(tx: Connection) -> None:
    config = _config()
    config.attributes["connection"] = tx
    command.upgrade(config, "head")


@lru_cache(maxsize=1)
def _steps() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def _of_another_program(store: Store, tables: set[str]) -> StoreError:
    some, what = ", ".join(sorted(tables)[:3]), "database" if store.path is None else "file"
    return StoreError(f"{store.name} is the database of another program (it holds {some}); name a {what} of its own")
