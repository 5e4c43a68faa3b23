"""The steps from one schema to the next, applied when a project's database is opened by a newer tactful."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from tactful.engine.store.database import StoreError
from tactful.engine.store.tables import metadata

if TYPE_CHECKING:
    from tactful.engine.store.database import Store


def upgrade(store: Store) -> None:
    """Bring a database to the newest schema. Does nothing, quickly, where it has it already.

    All steps run in one transaction: they happen together or not at all. Raises StoreError for a database that a
    newer tactful has, or another program.
    """
    config = _config()
    steps = ScriptDirectory.from_config(config)
    with store.read() as connection:
        has = MigrationContext.configure(connection).get_current_revision()
        tables = set(inspect(connection).get_table_names())
    newest = steps.get_current_head()
    if has == newest:
        return
    if has not in {None, *(step.revision for step in steps.walk_revisions())}:
        if tables >= set(metadata.tables):
            raise StoreError(
                f"the database {store.name} is of a newer tactful (schema {has}; this one knows {newest}); "
                "upgrade tactful"
            )
        raise _of_another_program(store, tables)
    if has is None and tables:
        raise _of_another_program(store, tables)
    with store.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_newest(tx: Connection) -> bool:
    """Whether a database, which was opened once, has the schema that this version knows as its newest."""
    return MigrationContext.configure(tx).get_current_revision() == _newest()


@lru_cache(maxsize=1)
def _newest() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def _of_another_program(store: Store, tables: set[str]) -> StoreError:
    some = ", ".join(sorted(tables)[:3])
    return StoreError(f"{store.name} is the database of another program (it holds {some}); name a file of its own")
