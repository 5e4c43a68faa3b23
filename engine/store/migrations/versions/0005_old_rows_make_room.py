"""Old rows make room: on PostgreSQL an update leaves the old row, and an entry for it in each index, until they are
cleaned up. A journey is moved on, and its message taken and settled, right after they began, many in one transaction.

Autovacuum comes after two in a hundred instead of twenty. The pages of the keys, which grow at their end, are begun
three fifths full: the second entries of their rows go in beside the first, and split no page in two that stay half
empty for good. (Two entries of one key share it, and take 44 bytes where one takes 28.)
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward; there is no way back but a backup. What is on disk stays as it is."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in ("journey", "message"):
        op.execute(
            f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000)"
        )
    for index in ("journey_pkey", "journey_entry", "message_pkey"):
        op.execute(f"ALTER INDEX {index} SET (fillfactor = 60)")
