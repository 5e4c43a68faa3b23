"""The alarm: APScheduler wakes the work when the earliest timer is due.

The truth about timers stays in the database. There is one job, for all of them: a permanent interval
job as heartbeat, whose next run is moved forward to whatever is due first. It is never late for good:
`misfire_grace_time=None` runs a job however late it is, `coalesce=True` once only, and should a move
forward be missed, the heartbeat follows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

from apscheduler.schedulers.background import BackgroundScheduler

from tactful.elements.contract import Instant
from tactful.engine.clock import Clock

HEARTBEAT_SECONDS = 30

REST_MS = 20
"""How long it rests after a run. Five hundred events a second wake it as often, and a hundred timers a second are due
one by one: each run takes a turn to write from those who are waited for. What comes up in a rest is done together."""

_JOB = "work"
_ANY = 1_000  # it sees to it by itself that one run is on at a time; APScheduler would warn


class Alarm:
    """Calls `work` in a thread of its own: at once, when the time it last answered has come, and soon after it was
    woken. `work` does all there is to do and answers when the next thing is due (None: nothing is).

    Exceptions of `work` go to `failed`, and the alarm goes on at its next heartbeat.
    """

    def __init__(self, work: Callable[[], Instant | None], clock: Clock, failed: Callable[[Exception], None]) -> None:
        self._work = work
        self._clock = clock
        self._failed = failed
        self._lock = threading.Lock()  # for all that follows
        self._working = False
        self._woken = False
        self._stopping = False
        self._rested_at: Instant = 0
        self._armed: Instant = 0
        self._scheduler = BackgroundScheduler(timezone=UTC)

    def start(self) -> None:
        """Start, with a first run at once."""
        self._armed = self._clock.now()
        self._scheduler.add_job(
            self._run, "interval", seconds=HEARTBEAT_SECONDS, id=_JOB, misfire_grace_time=None, coalesce=True,
            max_instances=_ANY, next_run_time=_moment(self._armed),
        )  # fmt: skip
        self._scheduler.start()

    def wake(self) -> None:
        """Something changed: run soon; where a run is on, do another one after it."""
        with self._lock:
            if self._working:
                self._woken = True
            else:
                now = self._clock.now()
                self._arm(now, now)

    def stop(self) -> None:
        """Let the run that is on come to its end, then stop. Not to be called from a signal handler."""
        with self._lock:
            self._stopping = True
        # It waits for the run that is on with its own locks held: that run must not arm it any more.
        self._scheduler.shutdown(wait=True)

    def _run(self) -> None:
        with self._lock:
            if self._working:
                return  # the heartbeat, while a long run is on
            self._working, self._woken, self._armed = True, False, 0
        due_at: Instant | None = None
        try:
            due_at = self._work()
        except Exception as error:  # noqa: BLE001 — a thread of the scheduler's: nobody else would hear of it
            self._failed(error)
        with self._lock:
            self._working = False
            now = self._clock.now()
            self._rested_at = now + REST_MS
            heartbeat = now + HEARTBEAT_SECONDS * 1000
            self._arm(now, now if self._woken else heartbeat if due_at is None else min(due_at, heartbeat))

    def _arm(self, now: Instant, at: Instant) -> None:
        rested_at = min(self._rested_at, now + REST_MS)  # the clock may have been set back
        at = max(at, rested_at)
        # Armed for a moment that is over, it is about to run; or the clock was set forward, and it must be told.
        if not self._stopping and not now <= self._armed <= at:
            self._armed = at
            self._scheduler.modify_job(_JOB, next_run_time=_moment(at))


def _moment(at: Instant) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)
