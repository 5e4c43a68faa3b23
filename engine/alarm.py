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
_JOB = "work"


class Alarm:
    """Calls `work` in a thread of its own: at once, when the time it last answered has come, and whenever
    it is woken. `work` does all there is to do and answers when the next thing is due (None: nothing is).

    Exceptions of `work` go to `failed`, and the alarm goes on at its next heartbeat.
    """

    def __init__(self, work: Callable[[], Instant | None], clock: Clock, failed: Callable[[Exception], None]) -> None:
        self._work = work
        self._clock = clock
        self._failed = failed
        self._woken = threading.Event()
        self._working = threading.Lock()
        self._arming = threading.Lock()
        self._stopping = False
        self._scheduler = BackgroundScheduler(timezone=UTC)

    def start(self) -> None:
        """Start, with a first run at once."""
        self._scheduler.add_job(
            self._run, "interval", seconds=HEARTBEAT_SECONDS, id=_JOB, misfire_grace_time=None, coalesce=True,
            max_instances=2, next_run_time=self._moment(self._clock.now()),
        )  # fmt: skip
        self._scheduler.start()

    def wake(self) -> None:
        """Something changed: run now. While a run is on, it does another round."""
        self._woken.set()
        self._arm(self._clock.now())

    def stop(self) -> None:
        """Let the run that is on come to its end, then stop. Not to be called from a signal handler."""
        with self._arming:
            self._stopping = True
        # It waits for the run that is on with its own locks held: that run must not arm it any more.
        self._scheduler.shutdown(wait=True)

    def _run(self) -> None:
        if not self._working.acquire(blocking=False):
            return  # the run that is on sees `woken` and does another round
        try:
            due_at = self._rounds()
        except Exception as error:  # noqa: BLE001 — a thread of the scheduler's: nobody else would hear of it
            self._failed(error)
            return
        finally:
            self._working.release()
        if self._woken.is_set():  # woken after the last round looked, and turned away above
            due_at = self._clock.now()
        if due_at is not None:
            self._arm(due_at)

    def _rounds(self) -> Instant | None:
        while True:
            self._woken.clear()
            due_at = self._work()
            if not self._woken.is_set():
                return due_at

    def _arm(self, at: Instant) -> None:
        heartbeat = self._clock.now() + HEARTBEAT_SECONDS * 1000
        with self._arming:
            if not self._stopping:
                self._scheduler.modify_job(_JOB, next_run_time=self._moment(min(at, heartbeat)))

    @staticmethod
    def _moment(at: Instant) -> datetime:
        return datetime.fromtimestamp(at / 1000, UTC)
