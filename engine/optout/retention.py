"""What was kept long enough is let go: about once a day, a little at a time, in the background.

The history of a destination goes as a whole, so that no chain breaks (`chain.py`): when it is off the list, and its
last act is older than the project keeps histories. Whoever is on the list stays there with all their history, however
old. Messages that came in go at the same age, but for those that wait to be read.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, select

from tactful.elements.contract import Instant
from tactful.elements.options.duration import HOUR, Duration
from tactful.engine import switches
from tactful.engine.compose import Engine
from tactful.engine.store.statements import BLOCK, BLOCK_ACT, INBOUND, one_of

EVERY = 24 * HOUR
BATCH = 500
"""Rows looked at, or deleted, in one go: others wait no longer than that takes."""


class Retention:
    """Lets go of what is older than `keep`, round after round. One for each process is enough, and more do no harm."""

    def __init__(self, engine: Engine, keep: Duration) -> None:
        self._engine = engine
        self._keep_ms = keep.longest_ms
        self._due_at: Instant | None = None
        self._behind: int | None = None  # acts up to this id were looked at in this round; None between rounds

    def go_on(self, now: Instant) -> bool:
        """Do the next bit of work; whether there is more to do now."""
        if self._behind is None:
            if self._due_at is not None and self._due_at - EVERY <= now < self._due_at:
                return False
            self._behind, self._due_at = 0, now + EVERY
        before = now - self._keep_ms
        if self._acts(before, now) or self._inbound(before):
            return True
        self._behind = None
        return False

    def _acts(self, before: Instant, now: Instant) -> bool:
        """Look at the next acts that are old enough; whether there were any."""
        assert self._behind is not None
        old = select(BLOCK_ACT.c.id, BLOCK_ACT.c.destination).where(
            BLOCK_ACT.c.id > self._behind, BLOCK_ACT.c.at < before
        )
        with self._engine.store.read() as tx:
            rows = tx.execute(old.order_by(BLOCK_ACT.c.id).limit(BATCH)).all()
            over = _over(tx, {row[1] for row in rows}, before)
        if not rows:
            return False
        if over:
            with self._engine.store.write() as tx:
                over = _over(tx, over, before)  # once more: they may have said no again just now
                tx.execute(delete(BLOCK_ACT).where(one_of(BLOCK_ACT.c.destination, over)))
                switches.let_go_of_histories(tx, now)
        self._behind = rows[-1][0]
        return True

    def _inbound(self, before: Instant) -> bool:
        """Delete the next messages that came in and are old enough; whether there were any."""
        old = select(INBOUND.c.id).where(INBOUND.c.at < before, INBOUND.c.review_due_at.is_(None)).limit(BATCH)
        with self._engine.store.read() as tx:
            ids = list(tx.scalars(old))
        if ids:
            with self._engine.store.write() as tx:
                still = INBOUND.c.review_due_at.is_(None)
                tx.execute(delete(INBOUND).where(one_of(INBOUND.c.id, ids), still))
        return bool(ids)


def _over(tx: Connection, destinations: set[str], before: Instant) -> set[str]:
    """Of these destinations, those that are off the list and whose last act is older than `before`."""
    if not destinations:
        return set()
    listed = select(BLOCK.c.destination).where(one_of(BLOCK.c.destination, destinations))
    over = (
        select(BLOCK_ACT.c.destination)
        .where(one_of(BLOCK_ACT.c.destination, destinations), BLOCK_ACT.c.destination.not_in(listed))
        .group_by(BLOCK_ACT.c.destination)
        .having(func.max(BLOCK_ACT.c.at) < before)
    )
    return set(tx.scalars(over))
