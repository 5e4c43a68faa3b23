"""Who works on a database: every daemon says that it is alive, and what a dead one had in hand is taken over.

A daemon joins under a number that is never given twice, and beats. Messages it takes to be sent carry the number. One
that has not beaten for `LEASE_MS` is dead to the others: what it had in hand is `unknown` then. A daemon that was only
asleep (stopped by a signal, cut off from the database) knows by its own clock that its time ran out, and hands over
nothing more.

Clocks of machines that share a database must agree to within some seconds.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, bindparam, delete, func, insert, inspect, select, update

from tactful.elements.contract import Instant
from tactful.engine.clock import Clock
from tactful.engine.running import is_running
from tactful.engine.store.database import Store
from tactful.engine.store.statements import Query, insert_or, table
from tactful.engine.store.tables import LaneRow, WorkerRow

WORKER, LANE = table(WorkerRow), table(LaneRow)

_owner = Query(
    select(LANE.c.worker).where(LANE.c.sender == bindparam("sender"), LANE.c.worker.in_(select(WORKER.c.id))), "sender"
)

_beating = Query(select(func.count()).select_from(WORKER).where(WORKER.c.beat_at >= bindparam("lately")), "lately")

LEASE_MS = 12_000
"""How long a daemon that does not beat still counts as alive."""

BEAT_SECONDS = 2.0
_SURE_MS = LEASE_MS // 2
"""How long after its last beat a daemon is sure that nobody took it for dead."""

NOBODY = 0
"""The number of whoever works alone, as a test does."""


class Worker:
    """This daemon, as the others see it. Threads may ask `is_sure`; one of them beats."""

    def __init__(self, store: Store, clock: Clock, name: str) -> None:
        self._store = store
        self._clock = clock
        self._name = name
        self.alone = store.path is not None  # one daemon at a time runs on a file (`running.py`): it need not beat
        self.number = NOBODY
        self._beat_at = clock.monotonic()

    def join(self) -> None:
        """Become one of those who work."""
        began = self._clock.monotonic()
        with self._store.write(shared=True) as tx:
            done = tx.execute(insert(WORKER).values(name=self._name, beat_at=self._clock.now()))
            assert done.inserted_primary_key is not None
            self.number = int(done.inserted_primary_key[0])
        self._beat_at = began

    def beat(self) -> None:
        """Say that it is alive; one that was taken for dead joins anew, under another number."""
        began = self._clock.monotonic()
        with self._store.write(shared=True) as tx:
            known = update(WORKER).where(WORKER.c.id == self.number).values(beat_at=self._clock.now())
            there = tx.execute(known).rowcount
        if there:
            self._beat_at = began
        else:
            self.join()

    def is_sure(self) -> bool:
        """Whether nobody can have taken it for dead: only then does it hand over."""
        return self.alone or (self._clock.monotonic() - self._beat_at) * 1000 < _SURE_MS

    def leave(self) -> None:
        """Work no more. It has nothing in hand."""
        with self._store.write(shared=True) as tx:
            tx.execute(delete(WORKER).where(WORKER.c.id == self.number))


def alive(tx: Connection, now: Instant, *, all_but: int | None = None) -> list[int]:
    """Those who have beaten lately. With `all_but` nobody but this one: where only one can work at a time, the others
    are dead, whenever they beat."""
    lately = WORKER.c.beat_at >= now - LEASE_MS if all_but is None else WORKER.c.id == all_but
    return list(tx.scalars(select(WORKER.c.id).where(lately)))


def bury(tx: Connection, living: Collection[int]) -> None:
    """Strike off all but the living (see `alive`)."""
    tx.execute(delete(WORKER).where(WORKER.c.id.not_in(living)))


def is_anybody_dead(tx: Connection, living: Collection[int]) -> bool:
    """Whether there is somebody to be struck off."""
    return tx.scalar(select(WORKER.c.id).where(WORKER.c.id.not_in(living)).limit(1)) is not None


def working(store: Store, now: Instant) -> int:
    """How many daemons work on a database, which is read to find out. On a file that is one at most, which holds a lock
    instead of beating."""
    beating = int(store.look(_beating, now - LEASE_MS)[0][0])
    return beating if store.path is None else int(is_running(store.path))


def at_work(store: Store, tx: Connection, now: Instant) -> list[str]:
    """The names of the daemons that work on a server's database, whichever version laid it out: this table keeps its
    shape. Nobody's on a file: there whoever works holds its lock."""
    if store.path is not None or not inspect(tx).has_table(WORKER.name):
        return []
    return list(tx.scalars(select(WORKER.c.name).where(WORKER.c.beat_at >= now - LEASE_MS).order_by(WORKER.c.id)))


def may_work(tx: Connection, sender: str, worker: int) -> bool:
    """Whether this worker may take messages of a sender that only one may work on, since it has a rate; if so, the
    sender is its own until it stops, or is dead."""
    owned = _owner.rows(tx, sender)
    if not owned:
        mine = insert_or(tx.dialect.name, LANE).values(sender=sender, worker=worker)
        nobodys = LANE.c.worker.not_in(select(WORKER.c.id))  # asked again, when no other can be about to claim it
        tx.execute(mine.on_conflict_do_update(index_elements=["sender"], set_={"worker": worker}, where=nobodys))
        owned = _owner.rows(tx, sender)
    return not owned or owned[0][0] == worker
