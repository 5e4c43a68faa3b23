"""The steps from one schema to the next, applied when a project's database is opened by a newer tactful."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

if TYPE_CHECKING:
    from tactful.engine.store.database import Store


def upgrade(store: Store) -> None:
    """Bring a database to the newest schema. Does nothing, quickly, where it has it already.

    All steps run in one transaction: they happen together or not at all.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    newest = ScriptDirectory.from_config(config).get_current_head()
    with store.read() as connection:
        if MigrationContext.configure(connection).get_current_revision() == newest:
            return
    with store.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
