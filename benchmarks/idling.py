"""An engine with little to do: how late its timers are, and what it uses while it waits."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from contextlib import closing
from threading import Event
from time import monotonic, sleep

from benchmarks import journey
from benchmarks.databases import Kind
from benchmarks.figures import PROCESSOR, WALL, Chapter, Figure, Target, percentile
from benchmarks.floor import fill
from benchmarks.scale import Scale
from benchmarks.served import served
from benchmarks.waiting import MB
from tactful.engine.alarm import Alarm
from tactful.engine.clock import SystemClock
from tactful.engine.compose import open_engine
from tactful.engine.runner import Runner

APART_MS = 50


def idling(scale: Scale, kinds: Sequence[Kind]) -> Chapter:
    """Lateness of timers, and the daemon's processor time and memory."""
    figures: list[Figure] = []
    for kind in kinds:
        late = _lateness(kind, scale.timers)
        for share, target in ((0.5, None), (0.99, Target(50))):
            what = f"{kind.name}: timer fired and committed after it was due, p{share * 100:.0f}"
            figures.append(Figure(what, percentile(late, share), "ms", WALL, None, target))
    for kind in kinds:
        share, memory = _daemon(kind, scale.waiting[0], scale.idle_seconds)
        figures += [
            Figure(f"{kind.name}: idle daemon", share * 100, "% of a core", PROCESSOR, None, Target(0.5)),
            Figure(f"{kind.name}: its memory", memory / MB, "MB", None),
        ]
    said = (
        f"{scale.timers} timers, {APART_MS} ms apart, on the engine's alarm; then `serve`, as a process, for "
        f"{scale.idle_seconds:.0f} s on a database where {scale.waiting[0]:,} journeys wait."
    )
    return Chapter("Idle", figures, said)


def _lateness(kind: Kind, timers: int) -> list[float]:
    """Milliseconds from each timer's time until what followed from it was committed."""
    url, clock = kind.new(), SystemClock()
    journey.open_with(url, journey.FLOW).close()
    first = clock.now() + 1500 + timers // 10
    fill(kind, url, timers, sent_at=first - journey.DAY, apart=APART_MS)
    committed: list[int] = []
    done = Event()

    def moved() -> None:
        committed.append(clock.now())

    def work() -> int | None:
        due_at = runner.work()
        if due_at is None:
            done.set()
        return due_at

    with closing(open_engine(url)) as engine:
        runner = Runner(engine, clock, moved)
        alarm = Alarm(work, clock, _failed)
        alarm.start()
        fired = done.wait(timers * APART_MS / 1000 + 60)
        alarm.stop()
        assert fired, f"{len(committed)} of {timers} timers fired"
        with engine.store.read() as tx:
            left = tx.exec_driver_sql("select journey, left_at from visit where step = 2 order by journey").all()
    kind.drop(url)
    assert len(left) == timers, left
    # The journey left when its timer was found; the first commit after that is its own.
    return [committed[bisect_left(committed, at)] - (first + number * APART_MS) for number, at in left]


def _failed(error: Exception) -> None:
    raise AssertionError("the work failed") from error


def _daemon(kind: Kind, waiting: int, seconds: float) -> tuple[float, int]:
    """The share of a core that an idle daemon uses, and its resident bytes. The server's share is not in it."""
    url, clock = kind.new(), SystemClock()
    journey.open_with(url, journey.FLOW).close()
    fill(kind, url, waiting, sent_at=clock.now(), apart=1)
    with served(url) as daemon:
        sleep(min(2, seconds))  # what belongs to the start is over
        before, began = daemon.spent(), monotonic()
        sleep(seconds)
        share, memory = (daemon.spent() - before) / (monotonic() - began), daemon.process.memory_info().rss
    kind.drop(url)
    return share, memory
