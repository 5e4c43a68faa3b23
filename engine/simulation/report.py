"""What a simulation comes to, in figures: each one low, middle and high over the seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

from tactful.elements.contract import Instant
from tactful.engine.instants import iso, moment
from tactful.engine.simulation.behaviour import Rates
from tactful.engine.simulation.guesses import zone_of_flow
from tactful.engine.simulation.machine import Machine
from tactful.engine.simulation.outcome import FAILED, STOPPED, Tally, percentile, spread
from tactful.engine.simulation.spot import DAY, HOUR, KINDS, MINUTE

PERCENTILES = (10, 50, 90, 99)
A_DAY = 8
"""How many figures of `Report.through` there are for each day."""


class Figure(NamedTuple):
    """A number over the seeds: the lowest, the one in the middle, the highest."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, numbers: Iterable[float]) -> Figure:
        """The figure of one number from each seed."""
        return cls(*spread(list(numbers)))

    def as_json(self) -> Any:
        """A number where all seeds agree (or there is one); else low, median and high."""
        if self.low == self.high:
            return _round(self.middle)
        return {"low": _round(self.low), "median": _round(self.middle), "high": _round(self.high)}


NONE = Figure(0, 0, 0)


class Counted(NamedTuple):
    """How many, and what share of a whole."""

    number: Figure
    share: Figure


@dataclass(frozen=True, slots=True)
class ElementReport:
    """An element: how many came, and by which exits they left or that they stand there at the end (shares are of those
    who came); of a send, the messages that went out and what happened with them (shares are of those)."""

    id: str
    type: str
    summary: str
    arrived: Figure
    exits: Mapping[str, Counted]
    leads_to: Mapping[str, str]
    standing: Counted
    sent: Figure | None
    happened: Mapping[str, Counted]
    cost: Figure


@dataclass(frozen=True, slots=True)
class Report:
    """A simulation in figures. `days` are messages for each day since it began, `hours` for each hour of the day in the
    flow's zone; `took` maps percentiles to minutes from coming in to the end, empty where nobody came to one; `through`
    is the share of all journeys that had come to an end, each `A_DAY`th of a day after they began."""

    flow: str
    version: str
    contacts: int
    days_long: int
    begins: Instant
    zone: str
    seeds: tuple[int, ...]
    currency: str
    totals: Mapping[str, Figure]
    elements: tuple[ElementReport, ...]
    goals: Mapping[str, Figure]
    blocked_by: Mapping[str, Figure]
    own_events: Mapping[str, Figure]
    days: tuple[Figure, ...]
    hours: tuple[Figure, ...]
    took: Mapping[int, Figure]
    through: tuple[Figure, ...]

    def as_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "flow": self.flow,
            "version": self.version,
            "contacts": self.contacts,
            "begins": iso(self.begins),
            "days": self.days_long,
            "seeds": list(self.seeds),
            "totals": _json(self.totals),
            "elements": [
                {
                    "element": each.id,
                    "type": each.type,
                    "arrived": each.arrived.as_json(),
                    "exits": {exit: counted.number.as_json() for exit, counted in each.exits.items()},
                    "standing": each.standing.number.as_json(),
                    "sent": None if each.sent is None else each.sent.as_json(),
                    "happened": {kind: counted.number.as_json() for kind, counted in each.happened.items()},
                    "cost": each.cost.as_json(),
                }
                for each in self.elements
            ],
            "goals": _json(self.goals),
            "do_not_contact": _json(self.blocked_by),
            "events": _json(self.own_events),
            "messages_a_day": [each.as_json() for each in self.days],
            "messages_by_hour": [each.as_json() for each in self.hours],
            "minutes_to_the_end": {f"p{share}": each.as_json() for share, each in self.took.items()},
        }


def report(machine: Machine, rates: Rates, seeds: Sequence[int], tallies: Sequence[Tally]) -> Report:
    """The figures of a trial, from what each seed came to."""
    flow = machine.flow
    prices = [
        rates.of(spot.id, spot.node.element.sends).price if spot.node.element.sends else 0.0
        for spot in machine.spots.values()
    ]

    def over(of: Callable[[Tally], float]) -> Figure:
        return Figure.of(of(tally) for tally in tallies)

    def named(of: Callable[[Tally], Mapping[str, int]]) -> dict[str, Figure]:
        names = sorted({name for tally in tallies for name in of(tally)})
        found = {name: over(lambda tally, name=name: of(tally).get(name, 0)) for name in names}  # type: ignore[misc]
        return dict(sorted(found.items(), key=lambda each: -each[1].middle))

    days_long = (machine.until - machine.begins) // DAY
    per_day = [[0] * days_long for _ in tallies]
    per_hour = [[0] * 24 for _ in tallies]
    zone = zone_of_flow(flow)
    for at, tally in enumerate(tallies):
        for hour, number in tally.hours.items():
            per_day[at][min(hour // 24, days_long - 1)] += number
            per_hour[at][moment(machine.begins + hour * HOUR, zone).hour] += number
    totals = {
        "entered": over(lambda tally: tally.began),
        "refused": over(lambda tally: tally.refused),
        "finished": over(lambda tally: tally.finished),
        "stopped": over(lambda tally: sum(n for (_, how), n in tally.taken.items() if how == STOPPED)),
        "failed": over(lambda tally: tally.failed),
        "under_way": over(lambda tally: sum(tally.standing)),
        "messages": over(lambda tally: tally.sent_in_all),
        "held": over(lambda tally: tally.held),
        "opted_out": over(lambda tally: tally.opted_out),
        "cost": over(lambda tally: sum(price * n for price, n in zip(prices, tally.sent_by, strict=True))),
        "visits": over(lambda tally: tally.visits),
    }
    took = {}
    if all(tally.took for tally in tallies):
        took = {p: over(lambda tally, p=p: percentile(tally.took, p / 100) or 0) for p in PERCENTILES}  # type: ignore[misc]
    return Report(
        flow.id, flow.fingerprint[:8], tallies[0].contacts, days_long, machine.begins, zone.key, tuple(seeds),
        rates.currency, totals, tuple(_elements(machine, prices, over)),
        named(lambda tally: tally.goals), named(lambda tally: tally.blocked_by), named(lambda tally: tally.own_events),
        tuple(Figure.of(each) for each in zip(*per_day, strict=True)),
        tuple(Figure.of(each) for each in zip(*per_hour, strict=True)), took,
        tuple(_through(tallies, days_long)),
    )  # fmt: skip


def _through(tallies: Sequence[Tally], days: int) -> Iterable[Figure]:
    """For each eighth of a day since they came in, the share of all journeys begun that had come to an end by then."""
    through = []
    for tally in tallies:
        ended: Counter[int] = Counter()
        for minutes, number in tally.took.items():
            ended[-(-minutes * MINUTE * A_DAY // DAY)] += number
        through.append([n / max(1, tally.began) for n in accumulate(ended[at] for at in range(days * A_DAY + 1))])
    return (Figure.of(each) for each in zip(*through, strict=True))


def _elements(
    machine: Machine,
    prices: Sequence[float],
    over: Callable[[Callable[[Tally], float]], Figure],
) -> Iterable[ElementReport]:
    def counted(part: Callable[[Tally], float], whole: Callable[[Tally], float]) -> Counted:
        return Counted(over(part), over(lambda tally: part(tally) / (whole(tally) or 1)))

    for at, spot in enumerate(machine.spots.values()):
        arrived, sent = _at("arrived", at), _at("sent_by", at)
        exits = {exit: counted(_at("left", number), arrived) for exit, (number, _) in spot.exits.items()}
        exits |= {how: counted(_taken(at, how), arrived) for how in (STOPPED, FAILED)}
        happened = {kind: counted(_at("happened", at * len(KINDS) + k), sent) for k, kind in enumerate(KINDS)}
        sends = over(sent) if spot.node.element.sends is not None else None
        price = prices[at]
        yield ElementReport(
            spot.id,
            spot.node.type,
            spot.node.element.summary(),
            over(arrived),
            {exit: each for exit, each in exits.items() if each.number.high or exit in spot.exits},
            dict(spot.node.exits),
            counted(_at("standing", at), arrived),
            sends,
            {kind: each for kind, each in happened.items() if each.number.high},
            NONE if sends is None else Figure(*(price * number for number in sends)),
        )


def _at(counts: str, number: int) -> Callable[[Tally], float]:
    return lambda tally: getattr(tally, counts)[number]


def _taken(at: int, how: str) -> Callable[[Tally], float]:
    return lambda tally: tally.taken[at, how]


def _json(figures: Mapping[str, Figure]) -> dict[str, Any]:
    return {name: figure.as_json() for name, figure in figures.items()}


def _round(number: float) -> float | int:
    return int(number) if float(number).is_integer() else round(number, 4)
