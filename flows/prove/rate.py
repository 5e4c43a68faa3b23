"""The most messages a contact can get from one journey within 24 hours, wherever these begin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from tactful.elements.contract import END
from tactful.flows.graph import knots
from tactful.flows.prove.passing import DAY
from tactful.flows.prove.proof import Proof
from tactful.flows.prove.soonest import Found, Passed, Soonest, State, soonest
from tactful.flows.prove.walk import numbered, stops
from tactful.flows.prove.ways import Way, Ways, route
from tactful.flows.prove.wording import A_DAY, HELD, messages, of_channels, round_of

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
    path, notes = found.path, numbered(found.path, every)
    if found.count is None:
        way = "without any time passing" if found.round_at is not None else "with hardly any time passing"
        says = f"There is no most in 24 hours: a journey may go {round_of(path, found.round_at)} {way}."
        if found.round_at is None:
            says = f"A journey may send more than {MOST} messages within 24 hours."
        shown = stops(ways, path, notes)
        return Proof("day", "fails", says + of_channels(counts), figures, shown, found.round_at, (A_DAY, HELD))
    says = f"Within any 24 hours, a journey sends {messages(found.count)} at most{of_channels(counts, ': ')}."
    return Proof("day", "holds", says, figures, stops(ways, path, notes), None, (A_DAY, HELD))


@dataclass(frozen=True, slots=True)
class _Most:
    """The most messages in a day, None where there are too many; the path that shows it, and where in it a round
    begins that takes no time."""

    count: int | None
    path: list[Way]
    round_at: int | None = None


def _most(search: Soonest, channels: frozenset[str]) -> _Most:
    """Of the messages on some channels. A day begins with a message; then the soonest another one may follow is looked
    for, and so on, until none follows within the day."""
    ways = search.ways
    arrived = search.arrivals()
    first: dict[State, tuple[State, Way]] = {}
    begins: dict[State, Passed] = {}
    for state, known in arrived.passed.items():
        for way in ways.out(state.element) if state.element != END else ():
            left = search.leave(state, known, way) if way.channel in channels else None
            if left is not None:
                target, passed = left
                first.setdefault(target, (state, way))
                begins[target] = passed.or_sooner(begins.get(target, passed))

    if not begins:
        return _Most(0, [])  # no way leads to such a send, for all that the graph has one

    def path_to(state: State) -> list[Way]:
        before, way = first[state]
        path = [way]
        while before in arrived.came:
            before, way = arrived.came[before]
            path.append(way)
        return path[::-1]

    endless = _round_in_no_time(search, first, channels)
    if endless is not None:
        begin, there, round_ = endless
        path = [*path_to(begin), *there]
        return _Most(None, [*path, *round_], len(path))
    days: list[tuple[Found, dict[State, tuple[State, Way]]]] = []
    while len(days) <= MOST:
        found = search.search(begins, until=lambda way: way.channel in channels, within=DAY)
        if not found.beyond:
            break
        days.append((found, {state: (before, way) for state, (_, before, way) in found.beyond.items()}))
        begins = {state: passed for state, (passed, _, _) in found.beyond.items()}
    state = min(begins, key=lambda state: begins[state].now)
    later: list[Way] = []
    for found, beyond in reversed(days):
        before, way = beyond[state]
        state, there = found.path(before)
        later = [*there, way, *later]
    path = [*path_to(state), *later]
    return _Most(len(days) + 1 if len(days) < MOST else None, path)


def _round_in_no_time(
    search: Soonest, begins: Mapping[State, object], channels: frozenset[str]
) -> tuple[State, list[Way], list[Way]] | None:
    """A round on which messages are sent while no time passes: the state it is come to from, the way there, and it."""
    leads = search.in_no_time(begins)
    for knot in knots({state: [target for _, target in ways] for state, ways in leads.items()}):
        for state in knot:
            for way, target in leads[state]:
                if way.channel in channels and target in knot:
                    begin, there = _between(leads, begins, state)
                    _, back = _between(leads, [target], state)
                    return begin, there, [way, *back]
    return None


def _between(
    leads: Mapping[State, list[tuple[Way, State]]], begins: Iterable[State], goal: State
) -> tuple[State, list[Way]]:
    begins = list(begins)
    found = (goal, []) if goal in begins else route(begins, leads.__getitem__, lambda _, state: state == goal)
    assert found is not None, "it was come to from there"
    return found
