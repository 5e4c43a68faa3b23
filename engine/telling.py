"""Events that several tell at the same time, learnt together.

A transaction takes longer to begin and to commit than to learn an event in. So whoever comes while another's is on
waits for its end anyway, and is then told of in one with all who wait.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from itertools import islice

from tactful.elements.contract import Instant
from tactful.engine.host import BATCH, Host
from tactful.engine.incoming import Incoming, Told


class Teller:
    """Tells a host, for any number of threads at once. It has no thread of its own and waits for nobody: who finds no
    other telling tells at once, and who comes meanwhile is told for by the first of them who waits.

    What was asked first is learnt first. If a transaction fails, all who were in it hear of it.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._lock = threading.Lock()  # for all that follows
        self._somebody_tells = False
        self._waiting: deque[_Asked] = deque()

    def tell(self, events: Sequence[Incoming], now: Instant) -> list[Told]:
        """As `Host.tell`: when this returns, its events are committed. `now` is that of the latest who is told for in
        the same transaction."""
        mine = _Asked(events, now)
        with self._lock:
            self._waiting.append(mine)
            waits, self._somebody_tells = self._somebody_tells, True
        if waits:
            mine.turn.acquire()
        if mine.told is None and mine.failed is None:
            self._tell_those_in_front()
        if mine.failed is not None:
            raise mine.failed
        assert mine.told is not None
        return mine.told

    def _tell_those_in_front(self) -> None:
        """Tell for the first who waits, which is whoever calls this, and all behind who fit into one transaction."""
        with self._lock:
            group = self._take()
        try:
            told = iter(self._host.tell([event for each in group for event in each.events], max(e.now for e in group)))
            for each in group:
                each.told = list(islice(told, len(each.events)))
        except BaseException as error:  # noqa: BLE001 -- all who were in it are told, or they would wait for ever
            for each in group:
                each.failed = error
        with self._lock:
            self._somebody_tells = bool(self._waiting)
            if self._waiting:
                self._waiting[0].turn.release()
        for each in group[1:]:
            each.turn.release()

    def _take(self) -> list[_Asked]:
        group = [self._waiting.popleft()]
        events = len(group[0].events)
        while self._waiting and events + len(self._waiting[0].events) <= BATCH:
            group.append(self._waiting.popleft())
            events += len(group[-1].events)
        return group


class _Asked:
    """What one asked for, and what became of it. Its `turn` comes when it was told for, or when it is to tell."""

    __slots__ = ("events", "failed", "now", "told", "turn")

    def __init__(self, events: Sequence[Incoming], now: Instant) -> None:
        self.events = events
        self.now = now
        self.told: list[Told] | None = None
        self.failed: BaseException | None = None
        self.turn = threading.Lock()
        self.turn.acquire()
