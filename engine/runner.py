"""What the daemon does, without the threads: fire what is due, carry on what is under way, say when to come again."""

from __future__ import annotations

from collections.abc import Callable

from tactful.elements.contract import Instant
from tactful.engine.clock import Clock
from tactful.engine.compose import Engine
from tactful.engine.history import Pruning
from tactful.engine.host import BATCH
from tactful.engine.optout.inbox import Inbox
from tactful.engine.optout.retention import Retention
from tactful.engine.pulse import Pulse

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
        while not self._stopping() and (self._next_piece() or self._let_go()):
            pass
        if self._pruning is not None and not self._stopping():
            self._pruning.go_on(self._clock.now())
        due_at = self.next_due()
        now = self._clock.now()
        if due_at is not None and due_at <= now and self._engine.store.many_write and not self._stopping():
            due_at = now + HELD_MS  # due and yet not done: somebody else holds it, and will have done it soon
        self.pulse.worked_at = self._clock.monotonic()
        return due_at

    def _next_piece(self) -> bool:
        """Do the next piece of what is due or under way; whether there was any."""
        lifecycle = self._engine.lifecycle
        self.pulse.tried_at = self._clock.monotonic()
        did = bool(self._fire() or lifecycle.go_on(self._clock.now()) or self._read_overdue())
        self.pulse.worked_at = self._clock.monotonic()
        if did:
            self._moved()
        return did

    def _fire(self) -> int:
        host, now = self._engine.host, self._clock.now()
        due_at = host.next_due()  # woken for nothing, it keeps nobody from writing
        if due_at is None or due_at > now:
            return 0
        waits = self._engine.store.waits
        most, self._waits = BATCH if waits == self._waits else FEW, waits
        return host.tick(now, most)

    def _let_go(self) -> bool:
        return self._retention is not None and self._retention.go_on(self._clock.now())

    def _read_overdue(self) -> int:
        return 0 if self._inbox is None else self._inbox.settle_overdue(self._clock.now())

    def next_due(self) -> Instant | None:
        """When a timer, a schedule or an answer that waits to be read is due next."""
        due = [self._engine.host.next_due(), self._engine.lifecycle.next_due(self._clock.now())]
        if self._inbox is not None:
            due.append(self._inbox.next_due())
        if self._pruning is not None:
            due.append(self._pruning.next_due())
        return min((each for each in due if each is not None), default=None)
