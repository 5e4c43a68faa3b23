"""Opt-outs are collected: a chained history, consents, links, webhooks, workers, a key."""

import sqlalchemy as sa
from alembic import op

from tactful.engine.optout.chain import chained

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Forward; there is no way back but a backup."""
    _chain_the_history()
    op.create_table(
        "consent",
        sa.Column("id", BIG, nullable=False),
        sa.Column("destination", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("shown", sa.String(), nullable=True),
        sa.Column("evidence", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("consent_destination", "consent", ["destination", "channel"], unique=False)
    op.create_table(
        "short_link",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("journey", BIG, nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("code"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "link_target",
        sa.Column("id", BIG, nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("url"),
    )
    op.create_table(
        "webhook",
        sa.Column("receiver", sa.String(), nullable=False),
        sa.Column("behind", BIG, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", BIG, nullable=True),
        sa.Column("why", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("receiver"),
    )
    op.add_column("message", sa.Column("worker", sa.Integer(), nullable=True))
    op.create_table(
        "worker",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("beat_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "lane",
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("worker", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("sender"),
    )
    op.create_table(
        "key",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _chain_the_history() -> None:
    """Laid out anew: ids that are never given twice cannot be added to a table of SQLite's that is there."""
    if op.get_bind().dialect.name != "sqlite":  # nobody kept a history elsewhere before this
        op.add_column("block_act", sa.Column("hash", sa.String(), nullable=False))
        return
    op.drop_index("block_act_destination", "block_act")
    op.rename_table("block_act", "block_act_before")
    acts = op.create_table(
        "block_act",
        sa.Column("id", BIG, nullable=False),
        sa.Column("destination", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("covers", sa.String(), nullable=False),
        sa.Column("act", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("at", BIG, nullable=False),
        sa.Column("evidence", sa.String(), nullable=True),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    before = sa.table("block_act_before", *(sa.column(each.name) for each in acts.columns if each.name != "hash"))
    connection, behind = op.get_bind(), 0
    heads: dict[str, str] = {}
    while rows := connection.execute(
        sa.select(before).where(before.c.id > behind).order_by(before.c.id).limit(1_000)
    ).all():
        found = []
        for row in rows:
            head = heads[row.destination] = chained(
                heads.get(row.destination, ""), row.destination, row.channel, row.sender, row.covers, row.act,
                row.source, row.reason, row.at, row.evidence,
            )  # fmt: skip
            found.append({**row._mapping, "hash": head})
        op.bulk_insert(acts, found)
        behind = rows[-1].id
    op.drop_table("block_act_before")
    op.create_index("block_act_destination", "block_act", ["destination", "id"], unique=False)
