"""What is common instead of an engine: a scheduler that holds a job, a task or a workflow for each contact.

Each is written as its own documentation recommends, around one and the same small application (`application.py`), and
all processor time counts: that of its workers, its broker and the database's server. They take turns with tactful.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from statistics import median
from types import ModuleType

from benchmarks import journey, peer_apscheduler, peer_celery, peer_dbos, peer_procrastinate
from benchmarks.databases import Kind
from benchmarks.figures import Chapter, Figure
from benchmarks.progress import say
from benchmarks.scale import Scale

ON_POSTGRESQL: tuple[ModuleType, ...] = (peer_procrastinate, peer_celery, peer_dbos)
"""Each has a NAME, what to INSTALL for it, and `naive`, which raises ImportError where that is not there."""

Runs = dict[str, Callable[[], float]]


def peers(scale: Scale, kinds: Sequence[Kind]) -> Chapter:
    """The same journey with each of them, and on tactful."""
    runs: Runs = {"tactful, on SQLite": partial(_on_tactful, kinds[0], scale.peers)}
    for jobs in peer_apscheduler.STORES:
        runs[f"{peer_apscheduler.NAME}, {jobs}"] = partial(peer_apscheduler.naive, jobs, scale.peers)
    for kind in kinds[1:]:
        runs[f"tactful, on {kind.name}"] = partial(_on_tactful, kind, scale.peers)
        runs |= {peer.NAME: partial(peer.naive, kind, scale.peers) for peer in ON_POSTGRESQL}
    costs: dict[str, list[float]] = {}
    missing: set[str] = set()
    for _ in range(scale.peer_rounds):
        for name, run in runs.items():
            if name in missing:
                continue
            try:
                costs.setdefault(name, []).append(run())
            except ImportError:
                missing.add(name)
    said = (
        f"{scale.peers:,} contacts on the standard journey. The others keep neither visits, events nor evidence, and "
        "with jobs in memory it is forgotten who waits when the process ends."
    )
    for peer in ON_POSTGRESQL:
        if peer.NAME in missing:
            left_out = f"{peer.NAME.partition(',')[0]} is left out: pip install {peer.INSTALL}"
            say(left_out)
            said += f" {left_out}."
    figures = [Figure(name, median(each), "µs a contact") for name, each in costs.items() if each]
    return Chapter("Beside a job for each contact", figures, said)


def _on_tactful(kind: Kind, contacts: int) -> float:
    url = kind.new()
    with closing(journey.open_with(url, journey.FLOW)) as engine:
        journey.bring(engine, contacts)
        cost = journey.run(engine, contacts, spent=kind.processor_time).whole
    kind.drop(url)
    return cost
