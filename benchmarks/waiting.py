"""Journeys that wait: what they take, and whether many of them make firing dearer or starting slower; and a great many
that are due in the same second."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from benchmarks import journey
from benchmarks.databases import Kind
from benchmarks.figures import WALL, Chapter, Figure, Target
from benchmarks.firing import Fired, fire_elsewhere
from benchmarks.floor import fill
from benchmarks.scale import Scale

MB = 1_000_000


def that_wait(scale: Scale, kinds: Sequence[Kind]) -> Chapter:
    """Bytes each, start-up and the rate of firing, with few and with many."""
    figures: list[Figure] = []
    for kind in kinds:
        costs: list[float] = []
        for waiting in scale.waiting:
            url = _waiting(kind, waiting, apart=1)
            taken = kind.bytes_of(url)
            some = min(scale.fired, waiting // 2)
            began = monotonic()
            fired = fire_elsewhere(url, journey.NOW + journey.DAY + some, some)
            assert fired.fired == some, fired.fired
            costs.append(fired.seconds * 1e6 / some)
            figures += [
                Figure(f"{kind.name}, {waiting:,} wait: firing one", costs[-1], "µs"),
                Figure(f"{kind.name}, {waiting:,} wait: start-up", fired.ready_at - began, "s", WALL, None, Target(2)),
                Figure(f"{kind.name}, {waiting:,} wait: memory", fired.memory[-1] / MB, "MB", None, None, Target(200)),
            ]
            kind.drop(url)
            if waiting == scale.waiting[-1]:
                figures += _bytes_each(kind, waiting, taken)
        rate = Figure(
            f"{kind.name}: rate of firing with {scale.waiting[-1]:,}, of that with {scale.waiting[0]:,}",
            costs[0] / costs[-1], "times", target=Target(least=0.8),
        )  # fmt: skip
        figures.append(rate)
    said = (
        "They fire in a new process, in the order they came; that process's own processor time is counted. "
        "Start-up is from the start of the process to the moment it would fire."
    )
    return Chapter("Journeys that wait", figures, said)


def in_the_same_second(scale: Scale, kinds: Sequence[Kind]) -> Chapter:
    """All due at once: how fast, whether any is lost, and what memory it takes."""
    figures: list[Figure] = []
    for kind in kinds:
        url = _waiting(kind, scale.due, apart=0)
        fired = fire_elsewhere(url, journey.NOW + journey.DAY, 10 * scale.due)
        lost = scale.due - _ended(kind, url)
        kind.drop(url)
        figures += [
            Figure(f"{kind.name}: fired", fired.fired / fired.wall, "a second", WALL),
            Figure(f"{kind.name}: firing one", fired.seconds * 1e6 / fired.fired, "µs"),
            Figure(f"{kind.name}: memory at most", max(fired.memory) / MB, "MB", None),
            Figure(f"{kind.name}: lost", lost, "journeys", None, None, Target(0)),
            Figure(f"{kind.name}: memory at the end, of that half way", _flat(fired), "times", None, None,
                   Target(1.1)),
        ]  # fmt: skip
    return Chapter(f"{scale.due:,} due in the same second", figures, "In a new process; memory is what is resident.")


def _flat(fired: Fired) -> float:
    return fired.memory[-1] / fired.memory[len(fired.memory) // 2]


def _waiting(kind: Kind, contacts: int, apart: int) -> str:
    url = kind.new()
    journey.open_with(url, journey.FLOW).close()
    fill(kind, url, contacts, apart=apart)
    return url


def _ended(kind: Kind, url: str) -> int:
    """Journeys that timed out once, are done, and whose contact is on the list."""
    connection = kind.connect(url)
    (ended,) = connection.execute(
        """select count(*) from journey j
           join visit timed on timed.journey = j.id and timed.step = 2 and timed.exit = 'timed_out'
           join visit listed on listed.journey = j.id and listed.step = 3
           join contact c on c.id = j.contact join block b on b.destination = c.email where j.state = 'done'"""
    ).fetchone()
    connection.close()
    return int(ended)


def _bytes_each(kind: Kind, waiting: int, taken: dict[str, int]) -> list[Figure]:
    parts = {"journey": Target(300), "message": None, "visit": None, "event": None, "contact": None}
    return [
        Figure(f"{kind.name}: {table} and its indexes", taken[table] / waiting, "bytes a journey", None, None, target)
        for table, target in parts.items()
        if table in taken
    ]
