"""From an event told over HTTP to the next message, in the process that also fires timers and hands messages over.

The whole of `tactful serve` runs as a process of its own, and the callers in this one. Requests come by the clock,
whether or not those before were answered; one that had to wait for a connection has waited. Whoever reads 200 knows
that the event is committed, and with it the message it led to.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from itertools import count
from time import monotonic, sleep

from benchmarks import answering, journey
from benchmarks.answering import ASKERS, TIMERS
from benchmarks.databases import Kind
from benchmarks.figures import WALL, Chapter, Figure, Target, percentile
from benchmarks.floor import fill
from benchmarks.scale import Scale
from benchmarks.served import KEYS, Served, served
from tactful.engine.clock import SystemClock

CALLERS = 4 * len(KEYS)
"""Connections: as many requests may be under way."""
SIZES = (1, 10)
"""Events in a request."""
START_MS = 4_000
"""By when the server runs, and timers begin."""


def answering_by_http(scale: Scale, kinds: Sequence[Kind]) -> Chapter:
    """How long it takes until it is answered that the message is in the outbox."""
    figures: list[Figure] = []
    for kind in kinds:
        for size in SIZES:
            waited, share = _run(kind, scale, size)
            what = f"{kind.name}, {size} a request"
            for of_all, target in ((0.5, None), (0.99, Target(20))):
                figures.append(
                    Figure(
                        f"{what}: answered, p{of_all * 100:.0f}", percentile(waited, of_all) * 1000, "ms", WALL, None,
                        target,
                    )
                )  # fmt: skip
            figures.append(Figure(f"{what}: the process", share * 100, "% of a core"))
    said = (
        f"{scale.rate:,} events a second for {scale.seconds:.0f} s, over {CALLERS} connections, while {TIMERS} timers "
        "a second fire: all in the one process of `tactful serve`."
    )
    return Chapter("From an event told over HTTP to the next message", figures, said)


def _run(kind: Kind, scale: Scale, size: int) -> tuple[list[float], float]:
    """Seconds each request waited for its answer, and the share of a core that the process used meanwhile."""
    url, timers = kind.new(), int(TIMERS * scale.seconds)
    with closing(journey.open_with(url, journey.FLOW, answering.ANSWER)) as engine:
        journey.bring(engine, ASKERS)
    sent_at = SystemClock().now() - journey.DAY + START_MS
    fill(kind, url, timers, behind=ASKERS, sent_at=sent_at - ASKERS * 1000 // TIMERS, apart=1000 // TIMERS)
    with served(url, http=True, senders=(journey.SENDER, answering.SENDER)) as daemon:
        _call(daemon, [(0.0, 1)] * CALLERS)  # each connection's first request is another's
        sleep(max(0, sent_at + journey.DAY - SystemClock().now()) / 1000)
        requests = int(scale.rate * scale.seconds) // size
        before, began = daemon.spent(), monotonic()
        waited = _call(daemon, [(number * size / scale.rate, size) for number in range(requests)])
        share = (daemon.spent() - before) / (monotonic() - began)
    with closing(kind.connect(url)) as connection:
        (queued,) = connection.execute("select count(*) from message where element = 'reply'").fetchone()
    assert queued == requests * size + CALLERS, queued
    kind.drop(url)
    return waited, share


def _call(daemon: Served, requests: Sequence[tuple[float, int]]) -> list[float]:
    """Make requests at their times, in seconds from now, each of so many events; seconds until each was answered."""
    assert daemon.address is not None
    address, numbers, began, waited = daemon.address, count(), monotonic(), list[float]()

    def calls(caller: int) -> None:
        headers = {"authorization": f"Bearer {KEYS[caller % len(KEYS)]}", "content-type": "application/json"}
        with closing(HTTPConnection(*address, timeout=120)) as connection:
            while (number := next(numbers)) < len(requests):
                seconds, size = requests[number]
                events = [
                    {"name": "asked", "contact": f"c{1 + (number * size + each) % ASKERS}", "data": {"at": "0"}}
                    for each in range(size)
                ]
                body = json.dumps({"events": events})
                if (ahead := began + seconds - monotonic()) > 0:
                    sleep(ahead)
                connection.request("POST", "/v1/events", body, headers)
                answer = connection.getresponse()
                said = answer.read()
                waited.append(monotonic() - began - seconds)
                assert answer.status == 200, (answer.status, said)

    with ThreadPoolExecutor(CALLERS) as callers:
        list(callers.map(calls, range(CALLERS)))
    return waited
