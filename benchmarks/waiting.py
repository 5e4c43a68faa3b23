"""Journeys that wait: what they take, and whether many of them make firing dearer or starting slower; and a great many
that are due in the same second."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from time import monotonic

from benchmarks import journey
from benchmarks.databases import Kind
from benchmarks.figures import WALL, Chapter, Figure, Target
from benchmarks.firing import Fired, fire_elsewhere
from benchmarks.floor import STEPS, fill, grow
from benchmarks.scale import Scale

MB = 1_000_000


def that_wait(scale: Scale, kinds: Sequence[Kind]) -> Chapter:
    """Bytes each, start-up and the rate of firing, with few and with many."""
    figures: list[Figure] = []
    for kind in kinds:
        costs: list[float] = []
        for waiting in scale.waiting:
            url = _laid_out(kind)
            grow(kind, url, waiting, apart=1)
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
                figures += _bytes_otherwise(kind, scale.waiting[0])
        rate = Figure(
            f"{kind.name}: rate of firing with {scale.waiting[-1]:,}, of that with {scale.waiting[0]:,}",
            costs[0] / costs[-1], "times", target=Target(least=0.8),
        )  # fmt: skip
        figures.append(rate)
    said = (
        f"Their database grew in {STEPS} steps and was cleaned up in between, where it does so by itself. They fire in "
        "a new process, in the order they came; that process's own processor time is counted. Start-up is from the "
        "start of the process to the moment it would fire."
    )
    return Chapter("Journeys that wait", figures, said)


def in_the_same_second(scale: Scale, kinds: Sequence[Kind]) -> Chapter:
    """All due at once: how fast, whether any is lost, and what memory it takes."""
    figures: list[Figure] = []
    for kind in kinds:
        url = _laid_out(kind)
        grow(kind, url, scale.due, apart=0)
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


def _laid_out(kind: Kind) -> str:
    url = kind.new()
    journey.open_with(url, journey.FLOW).close()
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


def _bytes_otherwise(kind: Kind, waiting: int) -> list[Figure]:
    """The same of journeys that were put in all at once, before anything was cleaned up; and of rows that were written
    once, as they are now. Only of a database that leaves old rows behind."""
    if not kind.leaves_old_rows:
        return []
    url = _laid_out(kind)
    fill(kind, url, waiting)
    loaded = kind.bytes_of(url)["journey"]
    with closing(kind.connect(url)) as connection:
        connection.execute("create table once (like journey including all)")
        connection.execute("insert into once select * from journey order by id")
    once = kind.bytes_of(url)["once"]
    kind.drop(url)
    what = f"{kind.name}: journey and its indexes"
    return [
        Figure(f"{what}, all put in at once", loaded / waiting, "bytes a journey", None),
        Figure(f"{what}, rows written once", once / waiting, "bytes a journey", None),
    ]
