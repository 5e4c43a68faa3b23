"""What the daemon does, without the threads: fire what is due, carry on what is under way, say when to come again."""

from __future__ import annotations

from collections.abc import Callable

from tactful.elements.contract import Instant
from tactful.engine.clock import Clock
from tactful.engine.compose import Engine


class Runner:
    """Does all there is to do on an engine. `moved` is called whenever messages may have been queued."""

    def __init__(self, engine: Engine, clock: Clock, moved: Callable[[], None] = lambda: None) -> None:
        self._engine = engine
        self._clock = clock
        self._moved = moved

    def work(self) -> Instant | None:
        """Fire all timers that are due and go on with all that is under way, in batches; when the next thing
        is due, None where nothing is."""
        host, lifecycle = self._engine.host, self._engine.lifecycle
        while host.tick(self._clock.now()) or lifecycle.go_on(self._clock.now()):
            self._moved()
        return self.next_due()

    def next_due(self) -> Instant | None:
        """When a timer or a schedule is due next."""
        due = (self._engine.host.next_due(), self._engine.lifecycle.next_due(self._clock.now()))
        return min((each for each in due if each is not None), default=None)
