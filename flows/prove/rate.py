"""The most messages a contact can get from one journey within 24 hours, wherever these begin."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from tactful.elements.contract import END
from tactful.flows.graph import knots
from tactful.flows.prove.passing import DAY
from tactful.flows.prove.proof import Proof
from tactful.flows.prove.soonest import Arrivals, Passed, Soonest, State, soonest
from tactful.flows.prove.walk import numbered, stops
from tactful.flows.prove.ways import Way, Ways, route
from tactful.flows.prove.wording import COUNTED, messages, of_channels, round_of

MOST = 100
"""Beyond so many messages a day nobody wants to know how many."""


def prove_rate(ways: Ways) -> Proof:
    """No journey sends more than so many messages within any 24 hours."""
    every = frozenset(ways.channels)
    if not every:
        return Proof("day", "holds", "No message is sent.", {"day": 0})
    found = soonest(ways, partial(_most, channels=every))
    counts = dict[str, int | None]()
    for channel in ways.channels if len(every) > 1 else ():
        counts[channel] = soonest(ways, partial(_most, channels=frozenset({channel}))).count
    figures = {"day": found.count, **{f"day_{channel}": count for channel, count in counts.items()}}
    shown = stops(ways, found.path, numbered(found.path, every))
    if found.count is not None:
        says = f"Within any 24 hours, a journey sends {messages(found.count)} at most{of_channels(counts)}."
        return Proof("day", "holds", says, figures, shown, None, COUNTED)
    if found.round_at is None:
        says = (
            f"A journey may send more than {MOST} messages within 24 hours{of_channels(counts, f'more than {MOST}')}."
        )
    else:
        way = f"A journey may go {round_of(found.path, found.round_at)} without any time passing, and send each time"
        says = f"There is no most in 24 hours{of_channels(counts)}. {way}."
    return Proof("day", "fails", says, figures, shown, found.round_at, COUNTED)


@dataclass(frozen=True, slots=True)
class _Most:
    """The most messages in a day, None where there are too many; the path that shows it, and where in it a round
    begins that takes no time."""

    count: int | None
    path: list[Way]
    round_at: int | None = None


def _most(search: Soonest, channels: frozenset[str]) -> _Most:
    """Of the messages on some channels. A day begins with any of them; from there all ways are gone at once, what is
    sooner first, and of the paths to a state those are kept that sent more, or came sooner, than any other."""
    ways = search.ways
    arrived = search.arrivals()
    first: dict[State, tuple[Passed, State, Way]] = {}
    for state, known in arrived.passed.items():
        for way in ways.out(state.element) if state.element != END else ():
            left = search.leave(state, known, way) if way.channel in channels else None
            if left is not None:
                target, passed = left
                sooner, before, by = first.get(target, (passed, state, way))
                first[target] = (passed.or_sooner(sooner), before, by)
    if not first:
        return _Most(0, [])  # no way leads to such a send, for all that the graph has one
    leads = search.in_no_time(first)
    in_order = knots({state: [target for _, target in steps] for state, steps in leads.items()})
    order = {state: number for number, knot in enumerate(in_order) for state in knot}
    endless = _round_in_no_time(leads, order, first, channels)
    if endless is not None:
        begin, there, round_ = endless
        to_round = [*_to(arrived, *first[begin][1:]), *there]
        return _Most(None, [*to_round, *round_], len(to_round))

    # What may follow in the same moment stands behind what it follows, so that each is looked at with all before it.
    paths = [_Path(state, passed, 1, None, way) for state, (passed, _, way) in first.items()]
    heap = [(path.passed.now, order[path.state], -path.sent, number) for number, path in enumerate(paths)]
    heapq.heapify(heap)
    kept: dict[State, list[_Path]] = {}
    most = 0
    while heap and paths[most].sent <= MOST:
        *_, number = heapq.heappop(heap)
        path = paths[number]
        others = kept.setdefault(path.state, [])
        if any(other.sent >= path.sent and other.passed.is_soon_as(path.passed) for other in others):
            continue
        others.append(path)
        search.step()
        most = max(most, number, key=lambda each: paths[each].sent)
        for way in ways.out(path.state.element) if path.state.element != END else ():
            left = search.leave(path.state, path.passed, way)
            if left is not None and left[1].now < DAY:
                target, passed = left
                sent = path.sent + (way.channel in channels)
                heapq.heappush(heap, (passed.now, order.get(target, 0), -sent, len(paths)))
                paths.append(_Path(target, passed, sent, number, way))
    path, taken = paths[most], list[Way]()
    count = path.sent if path.sent <= MOST else None
    while path.came is not None:
        taken.append(path.way)
        path = paths[path.came]
    return _Most(count, [*_to(arrived, *first[path.state][1:]), *taken[::-1]])


class _Path(NamedTuple):
    """A path of a day so far: where it came to, the least that passed, its messages; the path it goes on from, by its
    number, and by which way."""

    state: State
    passed: Passed
    sent: int
    came: int | None
    way: Way


def _to(arrived: Arrivals, state: State, way: Way) -> list[Way]:
    """A path from the start to a state, and on by a way."""
    path = [way]
    while state in arrived.came:
        state, way = arrived.came[state]
        path.append(way)
    return path[::-1]


_Leads = Mapping[State, list[tuple[Way, State]]]


def _round_in_no_time(
    leads: _Leads, knot_of: Mapping[State, int], begins: Mapping[State, object], channels: frozenset[str]
) -> tuple[State, list[Way], list[Way]] | None:
    """A round on which messages are sent while no time passes: the state it is come to from, the way there, and it."""
    for state, steps in leads.items():
        for way, target in steps:
            if way.channel in channels and knot_of[target] == knot_of[state]:
                begin, there = _between(leads, begins, state)
                _, back = _between(leads, [target], state)
                return begin, there, [way, *back]
    return None


def _between(leads: _Leads, begins: Iterable[State], goal: State) -> tuple[State, list[Way]]:
    begins = list(begins)
    found = (goal, []) if goal in begins else route(begins, leads.__getitem__, lambda _, state: state == goal)
    assert found is not None, "it was come to from there"
    return found
