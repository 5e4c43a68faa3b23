"""Plans: ways through a flow to an exit, the easiest first. Pure."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import count
from typing import NamedTuple

from tactful.elements.contract import END
from tactful.flows.model import Flow, Node


class Hop(NamedTuple):
    """An element left by an exit."""

    element: str
    exit: str


Plan = tuple[Hop, ...]
"""The hops of a journey from the start, one after the other."""

MOST_VISITS = 2
"""How often a plan passes an element at most: once more than straight on, for what only a second round brings about."""

_MOST_LOOKED_AT = 20_000
_COST = {"timed_out": 2, "no_date": 3, "not_sent": 4, "failed": 6, "suppressed": 6}
"""What is worth a detour to avoid; every other exit costs 1."""


def plans(flow: Flow, goal: Hop) -> Iterator[Plan]:
    """Plans that end with a hop, each once. There may be none, and of many paths only the first are found."""
    left = _costs_to(flow.nodes, goal.element)
    numbers = count()
    ahead: list[tuple[int, int, int, str, Plan]] = [(left.get(flow.start, 0), next(numbers), 0, flow.start, ())]
    for _ in range(_MOST_LOOKED_AT):
        if not ahead:
            return
        _, _, spent, id, plan = heapq.heappop(ahead)
        if id == END:  # the hop to the goal was the last
            yield plan
            continue
        if id not in left:
            continue
        if id == goal.element:
            heapq.heappush(ahead, (spent + _cost(goal.exit), next(numbers), spent, END, (*plan, goal)))
        passed = Counter(hop.element for hop in plan)[id]
        for exit, to in flow.nodes[id].exits.items():
            if to in left and passed < MOST_VISITS:
                so_far = spent + _cost(exit)
                step = (so_far + left[to], next(numbers), so_far, to, (*plan, Hop(id, exit)))
                heapq.heappush(ahead, step)


def _cost(exit: str) -> int:
    return _COST.get(exit, 1)


def _costs_to(nodes: Mapping[str, Node], goal: str) -> dict[str, int]:
    """What it costs at least to come to the goal from each element that leads there."""
    before: dict[str, list[tuple[str, int]]] = {}
    for node in nodes.values():
        for exit, to in node.exits.items():
            before.setdefault(to, []).append((node.id, _cost(exit)))
    found: dict[str, int] = {}
    ahead = [(0, goal)]
    while ahead:
        cost, id = heapq.heappop(ahead)
        if id in found:
            continue
        found[id] = cost
        for source, more in before.get(id, ()):
            heapq.heappush(ahead, (cost + more, source))
    return found
