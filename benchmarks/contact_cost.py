"""What a contact costs on the standard journey, beside the floor; and whether that stays flat."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from statistics import median

from benchmarks import journey
from benchmarks.databases import Kind
from benchmarks.figures import Chapter, Figure, Point, Target
from benchmarks.floor import Floor
from benchmarks.journey import Costs
from benchmarks.scale import Scale

UNIT = "µs a contact"
RATES = "/s of processor time"
WHOLE = Target(most=100)
RATE = Target(least=0.4, of_floor=True)


def whole_journey(scale: Scale, kinds: Sequence[Kind]) -> Chapter:
    """The whole journey, phase by phase, on each kind of database. Engine and floor take turns."""
    rounds = [(kind, *_round(kind, scale.contacts)) for _ in range(scale.rounds) for kind in kinds]
    figures: list[Figure] = []
    for kind in kinds:
        costs = [engine for of, engine, _ in rounds if of is kind]
        floors = [floor for of, _, floor in rounds if of is kind]
        figures += [
            Figure(f"{kind.name}: {phase}", _median(costs, phase), UNIT, floor=_median(floors, phase))
            for phase in journey.PHASES
        ]
        figures.append(
            Figure(
                f"{kind.name}: whole journey", median(each.whole for each in costs), UNIT,
                floor=median(each.whole for each in floors), target=WHOLE if kind.name == "SQLite" else None,
            )
        )  # fmt: skip
        late = 0.75 * 1e6  # of four contacts three are late
        figures.append(
            Figure(
                f"{kind.name}: timeouts fired", late / _median(costs, "timeouts"), RATES,
                floor=late / _median(floors, "timeouts"), target=RATE,
            )
        )  # fmt: skip
        events = 1e6 / _median(costs, "enter")
        figures.append(Figure(f"{kind.name}: events in, in batches, each enters", events, RATES))
    said = f"{scale.contacts:,} contacts in each of {scale.rounds} rounds. What PostgreSQL's server uses counts, too."
    return Chapter("The standard journey", figures, said)


def as_it_grows(scale: Scale, kinds: Sequence[Kind]) -> Chapter:
    """What a contact costs with more and more others behind, in one database on SQLite."""
    kind, some = kinds[0], max(40, scale.contacts // 2)
    url, points, behind = kind.new(), list[Point](), 0
    with closing(journey.open_with(url, journey.FLOW)) as engine, closing(Floor(kind, url)) as floor:
        for size in scale.behind:
            floor.run(size - behind, behind)
            behind = size
            costs, floors = list[float](), list[float]()
            for _ in range(min(3, scale.rounds)):
                floors.append(floor.run(some, behind).whole)
                journey.bring(engine, some, behind + some)
                with _settled():
                    costs.append(journey.run(engine, some, behind + some, kind.processor_time).whole)
                behind += 2 * some
            points.append(Point(size, median(costs), median(floors)))
    kind.drop(url)
    figures = [Figure(f"with {point.behind:,} behind", point.engine, UNIT, floor=point.floor) for point in points]
    first, last = points[0], points[-1]
    growth = Figure(
        f"cost with {last.behind:,} behind, of that with {first.behind:,}", last.engine / first.engine, "times",
        floor=last.floor / first.floor, target=Target(most=1.2),
    )  # fmt: skip
    said = f"{some:,} contacts take the whole journey on SQLite, in one database, where so many went before them."
    return Chapter("As history grows", [*figures, growth], said, points)


def _round(kind: Kind, contacts: int) -> tuple[Costs, Costs]:
    below, above = kind.new(), kind.new()
    journey.open_with(below, journey.FLOW).close()
    with closing(Floor(kind, below)) as floor:
        floors = floor.run(contacts)
    with closing(journey.open_with(above, journey.FLOW)) as engine:
        journey.bring(engine, contacts)
        with _settled():
            costs = journey.run(engine, contacts, spent=kind.processor_time)
        journey.check(engine, contacts)
    kind.drop(below)
    kind.drop(above)
    return costs, floors


@contextmanager
def _settled() -> Iterator[None]:
    """With the garbage collector as the daemon has it."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _median(costs: Sequence[Costs], phase: str) -> float:
    return median(each.phases[phase] for each in costs)
