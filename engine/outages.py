"""A database that cannot be used: said in the log once, whoever finds out and however often, and once when it can be
used again."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

import structlog

from tactful.engine.clock import Clock
from tactful.engine.store.tally import Observer, Tally

AGAIN_SECONDS = 60.0
"""How long it keeps silent about what it said before, while that goes on or comes and goes."""

LASTS_SECONDS = 5.0
"""What goes on for so long is said, whatever was said before."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Outage:
    began_at: float
    failures: int = 0
    writing: bool = False  # what cannot be written may well be read: only a write ends it then
    is_said: bool = False


class Outages(Observer):
    """Says in the log that the database cannot be used, and that it can again. Told by all threads of a process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._outage: _Outage | None = None
        self._said_at: dict[str, float] = {}  # by the reason

    def unanswered(self, why: str) -> None:
        with self._lock:
            now = self._clock.monotonic()
            outage = self._outage = self._outage or _Outage(now)
            outage.failures += 1
            goes_on = not outage.is_said and now - outage.began_at >= LASTS_SECONDS
            says = goes_on or now - self._said_at.get(why, -AGAIN_SECONDS) >= AGAIN_SECONDS
            if says:
                self._said_at = {reason: at for reason, at in self._said_at.items() if now - at < AGAIN_SECONDS}
                self._said_at[why] = now
                outage.is_said = True
        if says:
            log.error("the database cannot be used", why=why, failures=outage.failures)

    def failed(self, why: str) -> None:
        with self._lock:
            if self._outage is not None:
                self._outage.writing = True

    def answered(self) -> None:
        outage = self._outage
        if outage is not None and not outage.writing:
            self._is_over()

    def committed(self, tally: Tally) -> None:
        if self._outage is not None:
            self._is_over()

    def _is_over(self) -> None:
        with self._lock:
            outage, self._outage = self._outage, None
        if outage is not None and outage.is_said:
            seconds = round(self._clock.monotonic() - outage.began_at, 1)
            log.info("the database can be used again", seconds=seconds, failures=outage.failures)
