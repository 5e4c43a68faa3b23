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

_DIFFERENT = 4  # plans that have as little in common as may be, before all others are gone through
_USED = 5  # what it costs to go by a hop again that such a plan has
_MOST_LOOKED_AT = 20_000
_COST = {"timed_out": 2, "no_date": 3, "not_sent": 4, "failed": 6, "suppressed": 6}
"""What is worth a detour to avoid; every other exit costs 1."""


def plans(flow: Flow, goal: Hop) -> Iterator[Plan]:
    """Plans that end with a hop, each once: some that differ, for where one way is barred another may be open; then
    others, also those that go round. There may be none, and of many ways only the first are found."""
    seen: set[Plan] = set()
    used: Counter[Hop] = Counter()
    for _ in range(_DIFFERENT):
        plan = _cheapest(flow, goal, used)
        if plan is None:
            return
        used.update(plan)
        if plan not in seen:
            seen.add(plan)
            yield plan
    for plan in _all(flow, goal):
        if plan not in seen:
            yield plan


def _cheapest(flow: Flow, goal: Hop, used: Mapping[Hop, int]) -> Plan | None:
    """The plan that costs least, passing no element twice."""
    numbers = count()
    came_by: dict[str, Hop | None] = {}
    ahead: list[tuple[int, int, str, Hop | None]] = [(0, next(numbers), flow.start, None)]
    while ahead:
        spent, _, id, by = heapq.heappop(ahead)
        if id in came_by:
            continue
        came_by[id] = by
        if id == goal.element:
            hops = [goal]
            while by is not None:
                hops.append(by)
                by = came_by[by.element]
            return tuple(reversed(hops))
        for exit, to in flow.nodes[id].exits.items():
            if to != END and to not in came_by:
                hop = Hop(id, exit)
                heapq.heappush(ahead, (spent + _cost(exit) + _USED * used.get(hop, 0), next(numbers), to, hop))
    return None


def _all(flow: Flow, goal: Hop) -> Iterator[Plan]:
    """All plans by what they cost, as far as so many can be looked at."""
    left = _costs_to(flow.nodes, goal.element)
    numbers = count()
    ahead: list[tuple[int, int, int, int, str, Plan]] = [(left.get(flow.start, 0), 0, next(numbers), 0, flow.start, ())]
    for _ in range(_MOST_LOOKED_AT):
        if not ahead:
            return
        *_, spent, id, plan = heapq.heappop(ahead)
        if id == END:  # the hop to the goal was the last
            yield plan
            continue
        if id not in left:
            continue
        if id == goal.element:
            heapq.heappush(ahead, (spent + _cost(goal.exit), -1, next(numbers), spent, END, (*plan, goal)))
        passed = sum(hop.element == id for hop in plan)
        for exit, to in flow.nodes[id].exits.items():
            if to in left and passed < MOST_VISITS:
                so_far = spent + _cost(exit)
                # Of those that cost the same in the end, the one nearest to it first.
                heapq.heappush(ahead, (so_far + left[to], left[to], next(numbers), so_far, to, (*plan, Hop(id, exit))))


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
