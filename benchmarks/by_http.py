"""Events told over HTTP to `tactful serve --only api`, a process of its own, with keys, limits and commits as always.

What is counted is the processor time of that process; the callers' is not. Each event has an id of its caller's, as the
manual tells them to give it. After each answer to a batch, a connection of the benchmark's own looks whether the last
of its events is there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from statistics import median

from benchmarks import journey
from benchmarks.databases import Kind
from benchmarks.figures import Chapter, Figure, Target
from benchmarks.scale import Scale
from benchmarks.served import KEYS, Served, served
from tactful.engine.host import BATCH

RATES = "/s of processor time"
NOBODY_WAITS, BEGINS = "nobody waits for them", "each begins a journey"
KNOWN = "select count(*) from event where key = '{}'"


def by_http(scale: Scale, kinds: Sequence[Kind]) -> Chapter:
    """Events a second of the serving process's time: in batches and one by one; such as nobody waits for, and such as
    each begin a journey. All four take turns."""
    figures = [figure for kind in kinds for figure in _rates(kind, scale)]
    said = (
        f"{scale.contacts:,} events in batches of {BATCH:,} and {_singles(scale):,} one by one, in each of "
        f"{scale.rounds} rounds, from {len(KEYS)} callers at once. The time is that of the process that serves them."
    )
    return Chapter("Events in by HTTP", figures, said)


def _singles(scale: Scale) -> int:
    return max(20, scale.contacts // 20)


def _rates(kind: Kind, scale: Scale) -> list[Figure]:
    url, singles = kind.new(), _singles(scale)
    entering = (scale.contacts + singles) * scale.rounds
    with closing(journey.open_with(url, journey.FLOW)) as engine:
        journey.bring(engine, 1 + entering)  # the last one of them warms it up
    costs: dict[tuple[str, int], list[float]] = {}
    servers: dict[tuple[str, int], list[float]] = {}
    with served(url, "--only", "api", http=True) as api:
        teller = _Teller(kind, url, api)
        teller.tell("seen", [1] * 50, 10)
        teller.tell("began", [1 + entering], 1)
        behind = 0
        for _ in range(scale.rounds):
            for size, some in ((BATCH, scale.contacts), (1, singles)):
                entrants = range(behind + 1, behind + some + 1)
                for what, name in ((NOBODY_WAITS, "seen"), (BEGINS, "began")):
                    own, server = teller.tell(name, entrants, size)
                    costs.setdefault((what, size), []).append(own)
                    servers.setdefault((what, size), []).append(server)
                behind += some
    _check(kind, url, 50 + 1 + 2 * entering, 1 + entering)
    kind.drop(url)
    figures: list[Figure] = []
    for size, how, target in ((BATCH, "in batches", Target(least=10_000)), (1, "one a request", None)):
        for what in (NOBODY_WAITS, BEGINS):
            cost, server = median(costs[what, size]), median(servers[what, size])
            figures.append(Figure(f"{kind.name}, {how}: {what}", 1 / cost, RATES, target=target))
            if server:
                both = f"{kind.name}, {how}: {what}, the database's server counted, too"
                figures.append(Figure(both, 1 / (cost + server), RATES))
    return figures


class _Teller:
    """Callers who share the work: each has a key, a connection that is kept, and a look into the database."""

    def __init__(self, kind: Kind, url: str, api: Served) -> None:
        self._kind, self._url, self._api = kind, url, api
        self._told = 0

    def tell(self, name: str, contacts: Sequence[int], size: int) -> tuple[float, float]:
        """One event of this name for each contact, so many in a request; what an event cost the serving process and
        the database's own server, in seconds. All are learnt, or this raises AssertionError."""
        first = self._told
        self._told += len(contacts)
        events = [
            {"name": name, "contact": f"c{contact}", "data": {"value": 35}, "id": f"{name}-{first + number}"}
            for number, contact in enumerate(contacts)
        ]
        bodies = [
            (json.dumps({"events": some}).encode(), len(some), str(some[-1]["id"]))
            for some in (events[at : at + size] for at in range(0, len(events), size))
        ]
        own, server = self._api.spent(), self._kind.server_time()
        with ThreadPoolExecutor(len(KEYS)) as callers:
            list(callers.map(lambda caller: self._call(KEYS[caller], bodies[caller :: len(KEYS)]), range(len(KEYS))))
        return (self._api.spent() - own) / len(events), (self._kind.server_time() - server) / len(events)

    def _call(self, key: str, bodies: Sequence[tuple[bytes, int, str]]) -> None:
        assert self._api.address is not None
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        connection = HTTPConnection(*self._api.address, timeout=120)
        with closing(connection), closing(self._kind.connect(self._url)) as database:
            for body, events, last in bodies:
                connection.request("POST", "/v1/events", body, headers)
                answer = connection.getresponse()
                said = answer.read()
                assert answer.status == 200, (answer.status, said)
                assert json.loads(said)["learnt"] == events, said
                if events > 1:
                    (there,) = database.execute(KNOWN.format(last)).fetchone()
                    assert there == 1, f"answered before it was committed: {last}"


def _check(kind: Kind, url: str, events: int, journeys: int) -> None:
    with closing(kind.connect(url)) as connection:
        found = connection.execute("select (select count(*) from event), (select count(*) from journey)").fetchone()
    assert tuple(found) == (events, journeys), found
