"""Whether every path comes to an end, or waits wherever it does not."""

from __future__ import annotations

from tactful.elements.contract import END
from tactful.flows.circles import timeless_circles
from tactful.flows.problem import listed, quoted
from tactful.flows.prove.proof import Proof
from tactful.flows.prove.walk import stops
from tactful.flows.prove.ways import Way, Ways
from tactful.flows.prove.wording import round_of


def prove_endings(ways: Ways) -> Proof:
    """Every path ends or waits: none goes round in a circle on which no time passes."""
    quick = {name for name in ways.elements if not ways.element(name).lets_time_pass()}
    waits = {name: sends for name in ways.elements if (sends := ways.waited_for(name))}
    here = {name: node for name, node in ways.flow.nodes.items() if name in ways.elements}
    circles = timeless_circles(here, ways.graph, quick, waits, lambda steps: True)
    figures = {"loops": len(ways.loops)}
    if circles:
        circle = circles[0]
        there = ways.to_element(circle[0])
        path = [*there, *_along(ways, circle)]
        says = f"A path neither ends nor waits: a journey may go {round_of(path, len(there))}, and no time passes."
        return Proof("end", "fails", says, figures, stops(ways, path), len(there))
    forever = [name for name in ways.elements if any(_has_no_limit(way) for way in ways.out(name))]
    never = _without_end(ways)
    if not ways.loops and not forever:
        return Proof("end", "holds", "Every path comes to an end.", figures)
    says = "Every path ends or waits."
    for knot in ways.loops[:3]:
        first = next(name for name in ways.elements if name in knot)
        says += f" Unbounded: {round_of(ways.round_from(first, knot), 0)}, waiting on each round."
    if len(ways.loops) > 3:
        says += f" And so in {len(ways.loops) - 3} loops more."
    if forever:
        says += f" Unbounded: {listed(forever)} wait{'s' * (len(forever) == 1)} for ever."
    if never:
        says += f" Whoever comes to {quoted(never)} leaves the flow only when something takes them out."
    return Proof("end", "holds", says, figures)


def _has_no_limit(way: Way) -> bool:
    return way.passing.most is None and way.passing.unknown is None


def _along(ways: Ways, circle: list[str]) -> list[Way]:
    return [
        next(way for way in ways.out(name) if way.target == target)
        for name, target in zip(circle, [*circle[1:], circle[0]], strict=True)
    ]


def _without_end(ways: Ways) -> str | None:
    """The first element from which no way leads to an end; None where there is none."""
    ends = {END}
    for knot in reversed(ways.knots):
        if any(way.target in ends for name in knot for way in ways.out(name)):
            ends |= knot
    return next((name for name in ways.elements if name not in ends), None)
