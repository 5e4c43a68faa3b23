"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Forward; there is no way back but a backup."""
    op.create_table(
        "block",
        sa.Column("destination", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("covers", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("since", BIG, nullable=False),
        sa.PrimaryKeyConstraint("destination", "channel", "sender", "covers"),
        sqlite_with_rowid=False,
    )
    op.create_table(
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
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("block_act_destination", "block_act", ["destination", "id"], unique=False)
    op.create_table(
        "contact",
        sa.Column("id", BIG, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("phone", sa.String(), nullable=True),
        sa.Column("time_zone", sa.String(), nullable=True),
        sa.Column("attributes", sa.String(), nullable=False),
        sa.Column("tags", sa.String(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("changed_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index(
        "contact_email",
        "contact",
        [sa.text("lower(email)")],
        unique=False,
        sqlite_where=sa.text("email IS NOT NULL"),
        postgresql_where=sa.text("email IS NOT NULL"),
    )
    op.create_index(
        "contact_phone",
        "contact",
        ["phone"],
        unique=False,
        sqlite_where=sa.text("phone IS NOT NULL"),
        postgresql_where=sa.text("phone IS NOT NULL"),
    )
    op.create_table(
        "enrolment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("flow", sa.Integer(), nullable=False),
        sa.Column("audience", sa.String(), nullable=True),
        sa.Column("entry", sa.String(), nullable=False),
        sa.Column("begun_at", BIG, nullable=False),
        sa.Column("behind", BIG, nullable=False),
        sa.Column("entered", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "event",
        sa.Column("id", BIG, nullable=False),
        sa.Column("contact", BIG, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("learnt_at", BIG, nullable=False),
        sa.Column("data", sa.String(), nullable=True),
        sa.Column("message_journey", BIG, nullable=True),
        sa.Column("message_step", sa.Integer(), nullable=True),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("event_contact", "event", ["contact", "id"], unique=False)
    op.create_index(
        "event_key",
        "event",
        ["key"],
        unique=True,
        sqlite_where=sa.text("key IS NOT NULL"),
        postgresql_where=sa.text("key IS NOT NULL"),
    )
    op.create_table(
        "flow",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("changed_at", BIG, nullable=False),
        sa.Column("next_entry_at", BIG, nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id"),
    )
    op.create_table(
        "flow_version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("flow", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("sources", sa.String(), nullable=False),
        sa.Column("published_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("flow_version_fingerprint", "flow_version", ["flow", "fingerprint"], unique=True)
    op.create_table(
        "goal",
        sa.Column("journey", BIG, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("flow", sa.Integer(), nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("journey", "name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "inbound",
        sa.Column("id", BIG, nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("destination", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("normalised", sa.String(), nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("keyword", sa.String(), nullable=True),
        sa.Column("level", sa.String(), nullable=True),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=True),
        sa.Column("reply", sa.String(), nullable=True),
        sa.Column("review_due_at", BIG, nullable=True),
        sa.Column("reviewed_at", BIG, nullable=True),
        sa.Column("reviewed", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "inbound_key",
        "inbound",
        ["key"],
        unique=True,
        sqlite_where=sa.text("key IS NOT NULL"),
        postgresql_where=sa.text("key IS NOT NULL"),
    )
    op.create_index(
        "inbound_review",
        "inbound",
        ["destination"],
        unique=False,
        sqlite_where=sa.text("review_due_at IS NOT NULL"),
        postgresql_where=sa.text("review_due_at IS NOT NULL"),
    )
    op.create_table(
        "journey",
        sa.Column("id", BIG, nullable=False),
        sa.Column("contact", BIG, nullable=False),
        sa.Column("flow", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("entry_number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("element", sa.String(), nullable=True),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("entered_at", BIG, nullable=False),
        sa.Column("arrived_at", BIG, nullable=False),
        sa.Column("due_at", BIG, nullable=True),
        sa.Column("stood_still", sa.Integer(), nullable=True),
        sa.Column("due_after", BIG, nullable=True),
        sa.Column("since", BIG, nullable=False),
        sa.Column("entry", sa.String(), nullable=False),
        sa.Column("journey_values", sa.String(), nullable=True),
        sa.Column("ended_at", BIG, nullable=True),
        sa.Column("why", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "journey_due",
        "journey",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index("journey_entry", "journey", ["contact", "flow", "entry_number"], unique=True)
    op.create_index(
        "journey_stood_still",
        "journey",
        ["flow"],
        unique=False,
        sqlite_where=sa.text("stood_still IS NOT NULL"),
        postgresql_where=sa.text("stood_still IS NOT NULL"),
    )
    op.create_table(
        "membership",
        sa.Column("contact", BIG, autoincrement=False, nullable=False),
        sa.Column("flow", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("contact", "flow"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "message",
        sa.Column("journey", BIG, autoincrement=False, nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("contact", BIG, nullable=False),
        sa.Column("element", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("due_at", BIG, nullable=True),
        sa.Column("expires_at", BIG, nullable=True),
        sa.Column("destination", sa.String(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("unknowns", sa.Integer(), nullable=False),
        sa.Column("taken_at", BIG, nullable=True),
        sa.Column("sent_at", BIG, nullable=True),
        sa.Column("provider_id", sa.String(), nullable=True),
        sa.Column("why", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("journey", "step"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "message_due",
        "message",
        ["sender", "due_at"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index(
        "message_in_hand",
        "message",
        ["state"],
        unique=False,
        sqlite_where=sa.text("state IN ('sending', 'unknown')"),
        postgresql_where=sa.text("state IN ('sending', 'unknown')"),
    )
    op.create_table(
        "switch",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("number", BIG, nullable=False),
        sa.Column("why", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "visit",
        sa.Column("journey", BIG, autoincrement=False, nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("element", sa.String(), nullable=False),
        sa.Column("exit", sa.String(), nullable=False),
        sa.Column("arrived_at", BIG, nullable=False),
        sa.Column("left_at", BIG, nullable=False),
        sa.Column("event", BIG, nullable=True),
        sa.Column("why", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("journey", "step"),
        sqlite_with_rowid=False,
    )
