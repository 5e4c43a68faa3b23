"""What the daemon does, without the threads: fire what is due, carry on what is under way, say when to come again."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select

from tactful.elements.contract import Instant
from tactful.engine.clock import Clock
from tactful.engine.compose import Engine
from tactful.engine.enrolments import NEXT_SCHEDULE
from tactful.engine.history import Pruning
from tactful.engine.host import BATCH
from tactful.engine.optout.inbox import NEXT_OVERDUE, Inbox
from tactful.engine.optout.retention import Retention
from tactful.engine.pulse import Pulse
from tactful.engine.store.reading import NEXT_TIMER
from tactful.engine.store.statements import Query

HELD_MS = 20
"""How soon to look again at what is due, and others hold."""

FEW = 200
"""Contacts whose timers fire in one transaction while others want to write, too: ten milliseconds' work, not fifty."""


class Runner:
    """Does all there is to do on an engine, and in its inbox. `moved` is called whenever messages may have been
    queued. With `retention` and `pruning`, what need not be kept any longer is let go, a little at a time, when nothing
    is due. Once it is `stopping`, no further piece of work is begun: what is due then is due at the next start."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        moved: Callable[[], None] = lambda: None,
        inbox: Inbox | None = None,
        retention: Retention | None = None,
        pruning: Pruning | None = None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._moved = moved
        self._inbox = inbox
        self._retention = retention
        self._pruning = pruning
        self._stopping = stopping
        self._waits = 0
        self.pulse = Pulse()

    def work(self) -> Instant | None:
        """Fire all timers that are due and go on with all that is under way, in batches; when the next thing
        is due, None where nothing is."""
        while True:
            self.pulse.tried_at = self._clock.monotonic()
            due_at = self.next_due()
            if self._stopping() or not (self._next_piece(due_at) or self._let_go()):
                break
        if self._pruning is not None and not self._stopping():
            self._pruning.go_on(self._clock.now())
            due_at = _earliest(due_at, self._pruning.next_due())
        now = self._clock.now()
        if due_at is not None and due_at <= now and self._engine.store.many_write and not self._stopping():
            due_at = now + HELD_MS  # due and yet not done: somebody else holds it, and will have done it soon
        self.pulse.worked_at = self._clock.monotonic()
        return due_at

    def _next_piece(self, due_at: Instant | None) -> bool:
        """Do the next piece of what is due or under way; whether there was any. Woken for nothing, it keeps nobody from
        writing."""
        under_way, now = self._engine.under_way, self._clock.now()
        is_due = due_at is not None and due_at <= now
        did = bool((is_due and self._fire(now)) or under_way.go_on(now) or (is_due and self._read_overdue(now)))
        self.pulse.worked_at = self._clock.monotonic()
        if did:
            self._moved()
        return did

    def _fire(self, now: Instant) -> int:
        waits = self._engine.store.waits
        most, self._waits = BATCH if waits == self._waits else FEW, waits
        return self._engine.host.tick(now, most)

    def _let_go(self) -> bool:
        return self._retention is not None and self._retention.go_on(self._clock.now())

    def _read_overdue(self, now: Instant) -> int:
        return 0 if self._inbox is None else self._inbox.settle_overdue(now)

    def next_due(self) -> Instant | None:
        """When a timer, a schedule or an answer that waits to be read is due next."""
        now = self._clock.now()
        with self._engine.store.read() as tx:
            self._engine.host.flows.refresh(tx)
            fires, starts, overdue = _next.rows(tx)[0]
        looks = self._engine.under_way.next_look(now)
        return _earliest(fires, starts, looks, None if self._inbox is None else overdue)


_next = Query(select(*(each.scalar_subquery() for each in (NEXT_TIMER, NEXT_SCHEDULE, NEXT_OVERDUE))))


def _earliest(*times: Instant | None) -> Instant | None:
    """None is never."""
    return min((each for each in times if each is not None), default=None)
