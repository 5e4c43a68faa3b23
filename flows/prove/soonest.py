"""How soon a journey may come somewhere: a search for the least time over all ways at once.

A state is an element, with what of the way before it matters for the time: the last moment paused until, and which of
the messages that are waited for went out lately. Paths that come to one state are one path from there on, as early as
the earliest of them; so the work grows with the number of states, not of paths. Where too many messages are waited
for, the search remembers none of them: what it finds is then earlier than it need be, never later.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeVar

from tactful.elements.contract import END
from tactful.flows.prove.passing import NOT_SENT, Mark
from tactful.flows.prove.ways import SENT, Way, Ways

REMEMBERED = 3
"""Messages a state remembers at most; of more, the latest."""

_MOST_STEPS = 100_000
_MOST_TIMES = 10
"""Times an arrival is looked at again because what it remembers may be older than thought."""

Answer = TypeVar("Answer")


class Tried(NamedTuple):
    """A send that was passed, and whether its message went out."""

    send: str
    went_out: bool


class State(NamedTuple):
    """Where a journey stands on its way: an element (or `end`), the moment last paused until, and the sends passed
    lately, the latest first."""

    element: str
    mark: Mark | None = None
    tried: tuple[Tried, ...] = ()


class Passed(NamedTuple):
    """The least ms that have passed: until now, at the mark, and when each of the tried was left."""

    now: int = 0
    mark: int = 0
    tried: tuple[int, ...] = ()

    def is_soon_as(self, other: Passed) -> bool:
        """Whether this is no later than another, in all parts."""
        return self == self.or_sooner(other)

    def or_sooner(self, other: Passed) -> Passed:
        """The sooner of the two, of each part by itself."""
        return Passed(
            min(self.now, other.now),
            min(self.mark, other.mark),
            tuple(map(min, self.tried, other.tried)),
        )


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The states a journey may come to, with the age of what they remember, and how it came to each first."""

    passed: dict[State, Passed]
    came: dict[State, tuple[State, Way]]


class TooManyStates(Exception):
    """The search remembers too much to come to an end soon."""


class Soonest:
    """Searches of a flow's ways. `remembered` as `REMEMBERED` says; nothing is remembered with 0."""

    def __init__(self, ways: Ways, remembered: int = REMEMBERED) -> None:
        self.ways = ways
        self._remembered = remembered
        self._steps_left = _MOST_STEPS

    @cached_property
    def _ahead(self) -> Mapping[str, frozenset[str]]:
        """For each element, the sends that are waited for there or further on."""
        ahead: dict[str, frozenset[str]] = {END: frozenset()}
        for knot in reversed(self.ways.knots):
            found: set[str] = set()
            for name in knot:
                found.update(self.ways.waited_for(name))
                for way in self.ways.out(name):
                    found |= ahead.get(way.target, frozenset())
            ahead.update(dict.fromkeys(knot, frozenset(found)))
        return ahead

    def leave(self, state: State, passed: Passed, way: Way) -> tuple[State, Passed] | None:
        """The state behind a way, with what has passed at least; None where the way cannot be taken from here."""
        how = way.passing
        now = passed.now + (0 if how.sends or how.mark else how.least)
        waited_for = self.ways.waited_for(state.element) if way.exit == NOT_SENT else how.sends
        if waited_for:
            at = {tried.send: (tried.went_out, when) for tried, when in zip(state.tried, passed.tried, strict=True)}
            known = [at[send] for send in waited_for if send in at]
            newest = max((when for went_out, when in known if went_out), default=None)
            if way.exit == NOT_SENT:
                if newest is not None:
                    return None
            elif newest is not None:
                now = max(now, newest + how.least)
            elif len(known) == len(waited_for):
                return None  # none of them went out
        mark, mark_at = state.mark, passed.mark
        if how.mark is not None:
            if mark is not None:
                now = max(now, mark_at + how.mark.soonest_after(mark))
            mark, mark_at = how.mark, now
        tried = list(zip(state.tried, passed.tried, strict=True))
        if self.ways.element(state.element).sends is not None:
            gone = Tried(state.element, way.exit == SENT or way.channel is not None)
            tried = [(gone, now), *((each, when) for each, when in tried if each.send != state.element)]
        ahead = self._ahead[way.target]
        tried = [(each, when) for each, when in tried if each.send in ahead][: self._remembered]
        new = State(way.target, mark, tuple(each for each, _ in tried))
        return new, Passed(now, mark_at, tuple(when for _, when in tried))

    def least(self) -> dict[State, Passed]:
        """All that a journey may come to, and the least time it takes to come there. Raises `TooManyStates`."""
        begin = State(self.ways.start)
        found = {begin: Passed()}
        heap = [(0, 0, begin)]
        number = 0
        while heap:
            _, _, state = heapq.heappop(heap)
            self.step()
            for way in self.ways.out(state.element) if state.element != END else ():
                left = self.leave(state, found[state], way)
                if left is None:
                    continue
                target, after = left
                known = found.get(target)
                sooner = after if known is None else after.or_sooner(known)
                if sooner != known:
                    found[target] = sooner
                    number += 1
                    heapq.heappush(heap, (sooner.now, number, target))
        return found

    def arrivals(self) -> Arrivals:
        """All states that a journey may come to. The times are before the arrival, and so negative: the mark and the
        sends are no older than that. What has no such limit is not kept."""
        found = Arrivals({State(self.ways.start): Passed()}, {})
        times = dict[State, int]()
        waiting = [State(self.ways.start)]
        for state in waiting:
            self.step()
            times[state] = times.get(state, 0) + 1
            for way in self.ways.out(state.element) if state.element != END else ():
                left = self.leave(state, found.passed[state], way)
                if left is None:
                    continue
                target, after = left
                most = way.passing.most
                if most is None or times[state] > _MOST_TIMES:
                    target, after = State(way.target, way.passing.mark), Passed()
                elif most > 0:
                    mark = 0 if way.passing.mark or target.mark is None else after.mark - most
                    after = Passed(0, mark, tuple(at - after.now - most for at in after.tried))
                known = found.passed.get(target)
                older = after if known is None else after.or_sooner(known)
                if older != known:
                    found.passed[target] = older
                    waiting.append(target)
                    if known is None:
                        found.came[target] = (state, way)
        return found

    def step(self) -> None:
        """Count a step of a search; raises `TooManyStates` after very many."""
        self._steps_left -= 1
        if self._steps_left < 0 and self._remembered:
            raise TooManyStates

    def in_no_time(self, begins: Iterable[State]) -> dict[State, list[tuple[Way, State]]]:
        """All states that may be come to without any time passing, and the ways there."""
        leads: dict[State, list[tuple[Way, State]]] = {}
        waiting = list(begins)
        while waiting:
            state = waiting.pop()
            if state in leads:
                continue
            self.step()
            leads[state] = []
            for way in self.ways.out(state.element) if state.element != END else ():
                left = self.leave(state, Passed(tried=(0,) * len(state.tried)), way)
                if left is not None and left[1].now == 0 and way.passing.mark is None:
                    leads[state].append((way, left[0]))
                    waiting.append(left[0])
        return leads


def soonest(ways: Ways, ask: Callable[[Soonest], Answer]) -> Answer:
    """What a search answers; asked again without a memory where there is too much to remember."""
    try:
        return ask(Soonest(ways))
    except TooManyStates:
        return ask(Soonest(ways, remembered=0))
