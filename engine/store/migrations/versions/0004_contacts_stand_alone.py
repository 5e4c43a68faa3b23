"""Contacts stand alone: every row that grows with them carries the contact's number, and no key spans two of them.

On PostgreSQL the number is part of the keys, too, which is what a database that spreads tables over many servers asks
for; and ids are counted by sequences, so that several may write at once. On SQLite there is one file and one writer:
its keys stay as short as they are.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Forward; there is no way back but a backup."""
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    for table, key in (("visit", "step"), ("goal", "name")):
        if on_postgresql:
            _carry_the_contact(table)
        else:
            _lay_out_anew(table, key)
    op.drop_index("event_key", "event")
    some = sa.text("key IS NOT NULL")
    op.create_index("event_key", "event", ["key", "contact"], unique=True, sqlite_where=some, postgresql_where=some)
    if on_postgresql:
        _put_the_contact_into_keys()
        for table in ("contact", "journey", "event"):
            op.execute(f"SELECT setval('{table}_id_seq', max(id)) FROM {table}")


def _carry_the_contact(table: str) -> None:
    op.add_column(table, sa.Column("contact", BIG, nullable=True))
    op.execute(f"UPDATE {table} SET contact = journey.contact FROM journey WHERE journey.id = {table}.journey")
    op.alter_column(table, "contact", nullable=False)


def _lay_out_anew(table: str, key: str) -> None:
    """SQLite adds no column that must have a value, and a key holds its rows."""
    columns = sa.inspect(op.get_bind()).get_columns(table)
    op.rename_table(table, f"{table}_before")
    op.create_table(
        table,
        *(sa.Column(each["name"], each["type"], nullable=each["nullable"], autoincrement=False) for each in columns),
        sa.Column("contact", BIG, nullable=False),
        sa.PrimaryKeyConstraint("journey", key),
        sqlite_with_rowid=False,
    )
    names = [each["name"] for each in columns]
    op.execute(
        f"INSERT INTO {table} ({', '.join(names)}, contact) "
        f"SELECT {', '.join(f'before.{name}' for name in names)}, journey.contact "
        f"FROM {table}_before AS before JOIN journey ON journey.id = before.journey"
    )
    op.drop_table(f"{table}_before")


def _put_the_contact_into_keys() -> None:
    for table, key in (
        ("journey", "id"),
        ("event", "id"),
        ("visit", "journey, step"),
        ("goal", "journey, name"),
        ("message", "journey, step"),
    ):
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey, ADD PRIMARY KEY ({key}, contact)")
