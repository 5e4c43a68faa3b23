"""From an event to the next message, while more events come in and timers fire.

The parts are the engine's own, put together as the daemon does it: the alarm with its runner, a lane with its thread, a
watch for other processes' commits. Only the connector is the benchmark's: it notes when a message reached it. Events
come by the clock, whether or not the engine keeps up; those that came while others were being written are told
together, and how long one waited for its turn counts.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from queue import Queue
from time import monotonic, sleep
from typing import Any

from benchmarks import journey
from benchmarks.databases import Kind
from benchmarks.figures import WALL, Chapter, Figure, Target, percentile
from benchmarks.floor import fill
from benchmarks.scale import Scale
from tactful.elements.contract import MessageKey
from tactful.engine.alarm import Alarm
from tactful.engine.channels import Accepted, Outcome, Outgoing
from tactful.engine.clock import SystemClock
from tactful.engine.compose import Engine, open_engine
from tactful.engine.daemon import LOOK_AGAIN_SECONDS, LOOK_SECONDS
from tactful.engine.delivery import Lane
from tactful.engine.host import BATCH
from tactful.engine.incoming import Incoming
from tactful.engine.runner import Runner
from tactful.engine.senders import ConsoleSender

SENDER = "answers@acme.example"
ANSWER = f"""
flow: answer
entry: {{event: asked, again: always}}
settings: {{sender: {{email: {SENDER}}}}}
elements:
  reply: {{type: send_email, subject: "{{{{ entry.at }}}}", text: T}}
"""
TIMERS = 100
"""Timers that fire each second beside it."""
START_SECONDS = 3
"""What a process that tells events may take to start, while timers fire already."""
ASKERS = 500
"""Contacts whom events come from."""


def answering(scale: Scale, kinds: Sequence[Kind]) -> Chapter:
    """How long it takes until the message is in the outbox, and until it is handed over."""
    figures: list[Figure] = []
    for kind in kinds:
        for processes in ("one process", "two processes"):
            told, handed = _run(kind, scale, apart=processes == "two processes")
            queued = told.queued
            for what, times, share, target in (
                ("in the outbox", queued, 0.5, None),
                ("in the outbox", queued, 0.99, Target(20) if processes == "one process" else Target(300)),
                ("handed over", handed, 0.5, None),
                ("handed over", handed, 0.99, None if processes == "one process" else Target(300)),
            ):
                what = f"{kind.name}, {processes}: {what}, p{share * 100:.0f}"
                figures.append(Figure(what, percentile(times, share) * 1000, "ms", WALL, None, target))
            what = f"{kind.name}, {processes}: of that, until the event came, p99"
            figures.append(Figure(what, percentile(told.late, 0.99) * 1000, "ms", WALL))
    said = (
        f"{scale.rate:,} events a second for {scale.seconds:.0f} s, while {TIMERS} timers a second fire. In one "
        "process events are told where timers fire and messages go out; in two, by a process of their own."
    )
    return Chapter("From an event to the next message", figures, said)


@dataclass
class Told:
    """What the teller of events noted, in seconds from when each should have come: until it was committed, its message
    queued with it, and of that, until it came. The latter is what the machine and the interpreter took to wake whoever
    lets events come; whoever reads them from a socket would have waited as long."""

    queued: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)


@dataclass
class Noted:
    """A connector that takes everything, and notes how long each took since its event."""

    waited: list[float] = field(default_factory=list)

    def send(self, batch: Sequence[Outgoing]) -> Iterator[tuple[MessageKey, Outcome]]:
        """Take each."""
        for each in batch:
            self.waited.append(monotonic() - float(each.parts["subject"]))
            yield each.key, Accepted()

    def close(self) -> None:
        """There is nothing to close."""


def _run(kind: Kind, scale: Scale, *, apart: bool) -> tuple[Told, list[float]]:
    url, clock = kind.new(), SystemClock()
    engine = journey.open_with(url, journey.FLOW, ANSWER)
    timers = int(TIMERS * (scale.seconds + START_SECONDS))
    sent_at = clock.now() - journey.DAY + 1500
    journey.bring(engine, ASKERS)  # others than those whose timers fire: they end on the Do Not Contact list
    fill(kind, url, timers, behind=ASKERS, sent_at=sent_at - ASKERS * 1000 // TIMERS, apart=1000 // TIMERS)
    events, noted = int(scale.rate * scale.seconds), Noted()
    with closing(engine), _going(engine, noted) as wake:
        if apart:
            context = get_context("spawn")
            answer: Any = context.Queue()
            teller = context.Process(target=_tell_elsewhere, args=(url, scale.rate, events, answer))
            teller.start()
            told: Told = answer.get(timeout=10 * scale.seconds + 60)
            teller.join()
        else:
            told = _tell(engine, scale.rate, events, wake)
        patience = monotonic() + 60
        while len(noted.waited) < events:
            assert monotonic() < patience, f"{len(noted.waited)} of {events} messages were handed over"
            sleep(0.05)
    kind.drop(url)
    return told, noted.waited


def _tell_elsewhere(url: str, rate: int, events: int, answer: Any) -> None:
    with closing(open_engine(url)) as engine:
        answer.put(_tell(engine, rate, events))


def _tell(engine: Engine, rate: int, events: int, wake: Callable[[], None] = lambda: None) -> Told:
    """Tell of events as they come, so many a second, and `wake` whoever goes on with them."""
    came: Queue[float | None] = Queue()
    clock, noted = SystemClock(), Told()

    def let_come() -> None:
        began = monotonic()
        for number in range(events):
            at = began + number / rate
            if (ahead := at - monotonic()) > 0:
                sleep(ahead)
            noted.late.append(monotonic() - at)
            came.put(at)
        came.put(None)

    coming = threading.Thread(target=let_come)
    coming.start()
    number, last = 0, False
    while not last:
        ats = [came.get()]
        while not came.empty() and len(ats) < BATCH:
            ats.append(came.get())
        last = ats[-1] is None
        batch = [at for at in ats if at is not None]
        incoming = [
            Incoming("asked", f"c{1 + (number + each) % ASKERS}", data={"at": repr(at)})
            for each, at in enumerate(batch)
        ]
        answers = engine.host.tell(incoming, clock.now())
        now = monotonic()
        wake()
        assert all(each.state == "learnt" for each in answers), answers
        noted.queued.extend(now - at for at in batch)
        number += len(batch)
    coming.join()
    return noted


@contextmanager
def _going(engine: Engine, noted: Noted) -> Iterator[Callable[[], None]]:
    """The alarm, a lane and the watch, as the daemon has them, until the block ends. It gives what wakes them."""
    clock, stopping, woken = SystemClock(), threading.Event(), threading.Event()
    lane = Lane(SENDER, ConsoleSender(channel="email", via="console"), engine.outbox, clock, noted)

    def wake() -> None:
        alarm.wake()
        woken.set()

    def deliver() -> None:
        while not stopping.is_set():
            woken.clear()
            if not lane.deliver(stopping.is_set):
                woken.wait(lane.seconds_to_next())
            else:
                alarm.wake()
            stopping.wait(lane.seconds_of_rest())

    def watch() -> None:
        with closing(engine.store.changes()) as changes:
            wait = LOOK_SECONDS
            while not stopping.wait(wait):
                if changed := changes.changed():
                    wake()
                wait = LOOK_AGAIN_SECONDS if changed else LOOK_SECONDS

    alarm = Alarm(Runner(engine, clock, woken.set).work, clock, _failed)
    threads = [threading.Thread(target=each) for each in (deliver, watch)]
    alarm.start()
    for each in threads:
        each.start()
    try:
        yield wake
    finally:
        stopping.set()
        woken.set()
        alarm.stop()
        for each in threads:
            each.join()


def _failed(error: Exception) -> None:
    print(f"the work failed: {error!r}", file=sys.stderr)
