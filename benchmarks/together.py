"""Several processes on one PostgreSQL database, each with contacts of its own to tell of, and all with what is due."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from time import time

from benchmarks import journey
from benchmarks.databases import Kind
from benchmarks.figures import WALL, Chapter, Figure
from benchmarks.scale import Scale

_start: Barrier


def together(scale: Scale, kinds: Sequence[Kind]) -> Chapter:
    """The standard journey, its contacts shared out to one process, to two, to three."""
    figures = []
    for kind in kinds:
        if kind.name == "SQLite":  # one writes at a time
            continue
        for processes in (1, 2, 3):
            rate, cost = _run(kind, scale.contacts, processes)
            name = f"{kind.name}, {processes} process{'es' if processes > 1 else ''}"
            figures += [
                Figure(f"{name}: whole journeys", rate, "a second", WALL),
                Figure(f"{name}: the server's part", cost, "µs a contact"),
            ]
    said = f"{scale.contacts:,} contacts on the standard journey. Server and processes share the cores of this machine."
    return Chapter("Several processes on one database", figures, said)


def _run(kind: Kind, contacts: int, processes: int) -> tuple[float, float]:
    """Contacts a second, and microseconds of the server's processor time for each."""
    url, share = kind.new(), contacts // processes
    with closing(journey.open_with(url, journey.FLOW)) as engine:
        journey.bring(engine, share * processes)
    spawned = get_context("spawn")
    start, spent = spawned.Barrier(processes), kind.server_time()
    with ProcessPoolExecutor(processes, spawned, _share, (start,)) as pool:
        times = list(pool.map(_work, [url] * processes, [share] * processes, range(0, share * processes, share)))
    cost = (kind.server_time() - spent) * 1e6 / contacts
    with closing(journey.open_with(url)) as engine, engine.store.read() as tx:
        done = tx.exec_driver_sql("select count(*) from journey where state = 'done'").scalar()
        assert done == share * processes, f"of {share * processes:,} journeys {done:,} came to their end"
    kind.drop(url)
    return contacts / (max(end for _, end in times) - min(begin for begin, _ in times)), cost


def _share(start: Barrier) -> None:
    global _start  # noqa: PLW0603 -- a pool has no other way to hand it over
    _start = start


def _work(url: str, contacts: int, behind: int) -> tuple[float, float]:
    with closing(journey.open_with(url)) as engine:
        _start.wait()
        began = time()
        journey.run(engine, contacts, behind)
        return began, time()
