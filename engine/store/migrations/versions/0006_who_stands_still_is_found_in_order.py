"""Who stands still is found in order: when a paused flow goes on, those first who were due longest ago, without a look
at all others each time."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward; there is no way back but a backup."""
    op.drop_index("journey_stood_still", "journey")
    where = sa.text("stood_still IS NOT NULL")
    op.create_index("journey_stood_still", "journey", ["flow", "due_after"], sqlite_where=where, postgresql_where=where)
