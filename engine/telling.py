"""Events that several tell at the same time, learnt together.

A transaction takes longer to begin and to commit than to learn an event in. So whoever comes while another's is on
waits for its end anyway, and is then told of in one with all who wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from tactful.elements.contract import Instant
from tactful.engine.host import BATCH, Host
from tactful.engine.incoming import Incoming, Told


class Teller:
    """Tells a host, in a thread of its own, for any number of threads at once. It waits for nobody: who comes when
    nothing is told is told for at once, and all who come meanwhile together after that.

    What was asked first is learnt first. If a transaction fails, all who were in it hear of it.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._waiting: deque[_Asked] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="teller")

    def ask(self, events: Sequence[Incoming], now: Instant) -> Future[list[Told]]:
        """As `Host.tell`, some time: when it is answered, its events are committed. `now` is that of the latest who is
        told for in the same transaction. Raises RuntimeError once it is closed; nothing is told then."""
        mine = _Asked(events, now)
        self._waiting.append(mine)
        try:
            self._thread.submit(self._tell_those_in_front)
        except RuntimeError:
            if mine.answer.cancel():  # else it is told for all the same, by the last before it closed
                raise
        return mine.answer

    def tell(self, events: Sequence[Incoming], now: Instant) -> list[Told]:
        """Ask, and wait for the answer."""
        return self.ask(events, now).result()

    def close(self) -> None:
        """Tell for all who asked, and for nobody after them."""
        self._thread.shutdown()

    def _tell_those_in_front(self) -> None:
        """Tell for as many as fit into one transaction. It is submitted once for each who asks, and most find that an
        earlier one has told for them."""
        group = self._take()
        if not group:
            return
        try:
            told = iter(self._host.tell([event for each in group for event in each.events], max(e.now for e in group)))
        except BaseException as error:  # noqa: BLE001 -- all who were in it are told, or they would wait for ever
            for each in group:
                each.answer.set_exception(error)
            return
        for each in group:
            each.answer.set_result(list(islice(told, len(each.events))))

    def _take(self) -> list[_Asked]:
        group: list[_Asked] = []
        events = 0
        while self._waiting and (not group or events + len(self._waiting[0].events) <= BATCH):
            first = self._waiting.popleft()
            if first.answer.set_running_or_notify_cancel():  # nobody waits for one that was cancelled
                group.append(first)
                events += len(first.events)
        return group


@dataclass(frozen=True, slots=True)
class _Asked:
    events: Sequence[Incoming]
    now: Instant
    answer: Future[list[Told]] = field(default_factory=Future)
