"""The daemon: the alarm and the lanes in their threads, until a signal asks it to stop.

On SIGTERM, SIGINT or SIGHUP it lets what is being handed over be recorded, and goes. On SIGKILL nothing is lost: the
next start finds every timer and every message where they stood, and what was in hand as `unknown`.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress

import structlog

from tactful.engine.alarm import Alarm
from tactful.engine.clock import Clock
from tactful.engine.compose import Engine
from tactful.engine.delivery import Delivery
from tactful.engine.flow_files import FlowFiles
from tactful.engine.flowbook import LIVE, PAUSED
from tactful.engine.history import Pruning
from tactful.engine.optout.inbox import inbox_of
from tactful.engine.optout.links import links_of
from tactful.engine.optout.retention import Retention
from tactful.engine.optout.webhooks import Webhooks
from tactful.engine.project import Project
from tactful.engine.runner import Runner
from tactful.engine.running import AlreadyRunning, only_one
from tactful.engine.store.database import ChangeWatch, StoreError, WrongSchema
from tactful.engine.tracking.outgoing import tracking_of
from tactful.engine.upgrading import SchemaWatch
from tactful.engine.workers import BEAT_SECONDS, Worker
from tactful.flows.model import Flow

LOOK_SECONDS = 0.2
"""How often the database is asked whether another process changed it: two microseconds' work."""

LOOK_AGAIN_SECONDS = 0.05
"""How soon it is asked again after it was changed: who changed it once is most often still at it."""

STOP_SECONDS = 100.0
"""How long it may take to stop: less than `TimeoutStopSec` in docs/deploy, and longer than anything that comes to an
end. A database that is there and does not answer is waited for without one, since a statement may take long. To wait no
more does no harm: what is not committed then is undone."""

FILES_SECONDS = 1.0
CLOCK_JUMP_SECONDS = 1.0

__all__ = ["AlreadyRunning", "Daemon", "stop_on_signals"]

log = structlog.get_logger()


class Daemon:
    """A project's engine, running. `run` returns when it was asked to stop; `pulse` beats as long as its work goes
    on."""

    def __init__(self, project: Project, engine: Engine, clock: Clock) -> None:
        self._project = project
        self._engine = engine
        self._clock = clock
        self._stop = threading.Event()
        self._files = FlowFiles(project, engine.host.catalogue)
        self._worker = Worker(engine.store, clock, f"{socket.gethostname()} {os.getpid()}")
        links = links_of(engine.store, engine.do_not_contact.keyring, project)
        self._delivery = Delivery(
            engine.outbox, project.senders or {}, clock, told=self._told, worker=self._worker, links=links,
            tracking=tracking_of(engine, project),
        )  # fmt: skip
        self._schema = SchemaWatch(engine.store, clock)
        self._webhooks = Webhooks(engine.store, project.webhooks, clock)
        runner = Runner(
            engine, clock, self._delivery.wake, inbox_of(engine, project), Retention(engine, project.keep_history),
            None if project.keep_journeys is None else Pruning(engine, project.keep_journeys), self._stop.is_set,
        )  # fmt: skip
        self.pulse = runner.pulse
        self._alarm = Alarm(runner.work, clock, self._failed)

    def stop(self) -> None:
        """Ask it to stop. May be called from a signal handler or another thread."""
        self._stop.set()

    def wake(self) -> None:
        """Something was committed: look at once. May be called from any thread, while it runs."""
        self._alarm.wake()
        self._delivery.wake()
        self._webhooks.wake()

    def run(self, beside: AbstractContextManager[object] | None = None) -> None:
        """Run until asked to stop. Raises AlreadyRunning; and WrongSchema, when another version brought the database to
        its own schema or the project moved away: then it has stopped.

        What runs `beside` it is entered once all else runs, and left before anything else is stopped.
        """
        # Watched from before the first look, so that no change falls in between.
        with only_one(self._engine.store.path), _collecting_seldom(), closing(self._engine.store.changes()) as changes:
            wall, steady = self._clock.now() / 1000, self._clock.monotonic()
            self._worker.join()
            try:
                self._schema.look(True)
            except WrongSchema:
                self._leave()
                raise
            self._take_over()
            self._alarm.start()  # first: the others wake it
            try:
                self._delivery.start()
                self._webhooks.start()
                log.info("running", database=self._engine.store.name, flows=len(self._engine.host.flows.live.by_id))
                for sender, why in self._delivery.closed.items():
                    log.warning("cannot send", sender=sender, why=why)
                for sender in self._engine.outbox.waiting().keys() - (self._project.senders or {}).keys():
                    log.warning("messages wait for a sender that the project does not name", sender=sender)
                with beside or nullcontext():
                    self._watch(changes, wall, steady)
                    log.info("stopping")
            finally:
                self._alarm.stop()
                self._delivery.stop()
                self._webhooks.stop()
                self._leave()
                log.info("stopped")

    def _leave(self) -> None:
        try:
            self._worker.leave()
        except StoreError as error:  # the others find out by themselves
            log.warning("this daemon could not say that it stops", why=str(error))

    def _take_over(self) -> None:
        """See to what daemons had in hand that are gone. Where one runs at a time, that is every other one."""
        all_but = self._worker.number if self._worker.alone else None
        repeats = [
            name for name, sender in (self._project.senders or {}).items() if sender.on_unknown == "at_least_once"
        ]
        found = self._engine.outbox.recover(repeats, self._clock.now(), all_but)
        if found:
            log.warning("messages were in hand when an engine stopped", unknown=found)
            self._delivery.wake()

    def _watch(self, changes: ChangeWatch, wall: float, steady: float) -> None:
        """Look after what no timer tells of: other processes' changes, changed files, a clock that jumped. `wall` and
        `steady` are what the clock said at the start, in seconds."""
        files_at = beat_at = 0.0
        wait = LOOK_SECONDS
        while not self._stop.wait(wait):
            now_wall, now_steady = self._clock.now() / 1000, self._clock.monotonic()
            jumped = abs((now_wall - wall) - (now_steady - steady)) > CLOCK_JUMP_SECONDS
            wall, steady = now_wall, now_steady
            if jumped:
                log.warning("the clock was set", to=now_wall)
            changed = changes.changed()
            self._schema.look(changed)
            if jumped or changed:
                self.wake()
            wait = LOOK_AGAIN_SECONDS if changed else LOOK_SECONDS
            if now_steady >= beat_at and not self._worker.alone:
                beat_at = now_steady + BEAT_SECONDS
                with suppress(StoreError):  # it hands over nothing until it is heard again
                    self._worker.beat()
                    self._take_over()
            if now_steady >= files_at:
                files_at = now_steady + FILES_SECONDS
                try:
                    self._follow_files()
                except Exception:  # the folder may be away for a moment; the engine must outlive it
                    log.exception("the flow files could not be looked at; the published flows go on")

    def _follow_files(self) -> None:
        """A published flow follows its file; one that was stopped does not come back to life by it. What does
        not load changes nothing, and is said."""
        flows = self._engine.host.flows
        for changed in self._files.changed():
            flow = changed.loaded.flow
            if flow is None:
                for problem in changed.loaded.errors:
                    # Neither its line nor its message: they quote what somebody wrote.
                    said = "a flow file is broken; its last good version goes on"
                    log.error(said, problem=problem.in_short(), hint="tactful check")
            elif flows.state.get(flow.id) in (LIVE, PAUSED) and (
                flows.live.by_id[flow.id].flow.fingerprint != flow.fingerprint
            ):
                self._follow(flow, is_new=changed.is_new)

    def _follow(self, flow: Flow, *, is_new: bool) -> None:
        """What was live before and was replaced does not come back because a daemon starts that has the older files."""
        live = self._engine.host.flows.live.by_id[flow.id].version
        before = None
        if is_new:
            with self._engine.store.read() as tx:
                before = self._engine.lifecycle.version_of(tx, flow)
        if before is not None:
            log.warning(
                "a flow file holds a version that was replaced; what is live goes on", flow=flow.id, version=live,
                file_has=before, hint="bring the file up to date, or go back to it with tactful publish",
            )  # fmt: skip
            return
        published = self._engine.lifecycle.publish(flow, self._clock.now())
        log.info("a flow file changed and is live", flow=flow.id, version=published.version, before=live)

    def _told(self) -> None:
        self._alarm.wake()

    def _failed(self, error: Exception) -> None:
        if not isinstance(error, StoreError):  # that is said by whoever watches the database
            log.error("the work failed; it goes on at the next heartbeat", exc_info=error)


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """Python's collector of circular garbage, at its usual pace, takes half the time of a busy engine: it looks through
    all modules again and again, for a batch is many objects and none of them circular."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def stop_on_signals(stop: Callable[[], None]) -> None:
    """Stop on SIGTERM, on SIGINT, and on SIGHUP, which comes when a terminal is closed, unless that was to be ignored
    from the start (`nohup`). `stop` only sets a flag: anything more could deadlock in a handler. A process that has not
    ended `STOP_SECONDS` later is ended, whatever it waits for."""
    asked = threading.Event()

    def ask(*_: object) -> None:
        asked.set()
        stop()

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, ask)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, ask)
    threading.Thread(target=_end_at_last, args=(asked,), name="end", daemon=True).start()


def _end_at_last(asked: threading.Event) -> None:
    asked.wait()
    threading.Event().wait(STOP_SECONDS)
    log.error(
        "it did not stop in time, so this process ends as if it was killed", seconds=STOP_SECONDS,
        hint="see whether the database and the servers of its senders answer",
    )  # fmt: skip
    os._exit(1)
