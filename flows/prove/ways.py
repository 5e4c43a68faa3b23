"""The ways a journey may go: every exit counts as possible, but for those that never can be.

What conditions say is not looked at. So what is proved of all ways holds of all journeys, and a counter-example may be
a way that nobody's attributes lead along.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from tactful.elements.contract import END, Element, Send
from tactful.elements.options.reference import SendRef
from tactful.flows.blocks import purpose_of
from tactful.flows.draft import option_values
from tactful.flows.graph import knots, to_graph
from tactful.flows.model import Flow, Surroundings
from tactful.flows.prove.passing import Passing, passing

SENT, FAILED, SUPPRESSED = "sent", "failed", "suppressed"

State = TypeVar("State")


class Way(NamedTuple):
    """An exit of an element, where it leads, how long it takes, and the channel a message goes out on, if one does."""

    element: str
    exit: str
    target: str
    passing: Passing
    channel: str | None


class _Exits(NamedTuple):
    exits: Mapping[str, str]


class Ways:
    """A flow as its ways. `elements` are those that journeys come to, in the order of the file."""

    def __init__(self, flow: Flow, around: Surroundings) -> None:
        self.flow = flow
        self.around = around
        self.start = flow.start
        self._waited_for: dict[str, tuple[str, ...]] = {}
        self._out = {name: tuple(_ways_out(name, flow)) for name in flow.nodes}
        seen = {self.start}
        stack = [self.start]
        while stack:
            for way in self._out[stack.pop()]:
                if way.target != END and way.target not in seen:
                    seen.add(way.target)
                    stack.append(way.target)
        self.elements = tuple(name for name in flow.nodes if name in seen)

    def out(self, name: str) -> tuple[Way, ...]:
        """The ways out of an element."""
        return self._out[name]

    def element(self, name: str) -> Element:
        """The element itself."""
        return self.flow.nodes[name].element

    def is_marketing(self, name: str) -> bool:
        """Whether what an element sends is marketing."""
        return purpose_of(self.element(name), self.flow.settings) == "marketing"

    @cached_property
    def graph(self) -> Any:
        """The elements that journeys come to, and the ways between them, as a graph."""
        return to_graph({name: _Exits({way.exit: way.target for way in self._out[name]}) for name in self.elements})

    @cached_property
    def knots(self) -> list[frozenset[str]]:
        """The elements in the order of the ways, those together that lead back to each other; without `end`."""
        return knots({name: [way.target for way in self._out[name] if way.target != END] for name in self.elements})

    @cached_property
    def loops(self) -> list[frozenset[str]]:
        """The knots in which a journey may go round, in the order of the file."""
        order = {name: number for number, name in enumerate(self.elements)}
        found = [knot for knot in self.knots if self.leads_back(knot)]
        return sorted(found, key=lambda knot: min(order[name] for name in knot))

    def leads_back(self, knot: frozenset[str]) -> bool:
        """Whether a journey may come again to an element of a knot."""
        return len(knot) > 1 or any(way.target in knot for name in knot for way in self._out[name])

    @cached_property
    def channels(self) -> tuple[str, ...]:
        """The channels on which messages may go out, in the order of the file."""
        return tuple(dict.fromkeys(way.channel for name in self.elements for way in self._out[name] if way.channel))

    def waited_for(self, name: str) -> tuple[str, ...]:
        """The sends an element names."""
        if name not in self._waited_for:
            values = (value for _, value in option_values(self.element(name)))
            self._waited_for[name] = tuple(str(value) for value in values if isinstance(value, SendRef))
        return self._waited_for[name]

    def to(
        self, goal: Callable[[Way], bool], begin: str | None = None, within: frozenset[str] | None = None
    ) -> list[Way]:
        """The shortest path from an element (the start) that ends with a way of a kind; nothing where there is none."""

        def leads(name: str) -> Iterable[tuple[Way, str]]:
            return ((way, way.target) for way in self._out.get(name, ()) if within is None or way.target in within)

        found = route([begin or self.start], leads, lambda way, _: goal(way))
        return [] if found is None else found[1]

    def to_element(self, name: str, begin: str | None = None, within: frozenset[str] | None = None) -> list[Way]:
        """The shortest path from an element (the start) to another; nothing where they are the same."""
        return [] if name == (begin or self.start) else self.to(lambda way: way.target == name, begin, within)

    def round_from(self, name: str, knot: frozenset[str], over: Way | None = None) -> list[Way]:
        """A path round a knot from an element back to it, beginning with a way of its own where one is named."""
        if over is None:
            return self.to(lambda way: way.target == name, name, knot)
        return [over, *self.to_element(name, over.target, knot)]


def _ways_out(name: str, flow: Flow) -> Iterable[Way]:
    node = flow.nodes[name]
    for exit, target in node.exits.items():
        took = passing(node.element, exit)
        if took is not None:
            yield Way(name, exit, target, took, _channel(node.element, exit))


def _channel(element: Element, exit: str) -> str | None:
    if not isinstance(element, Send) or element.sends is None:
        return None
    # Of a send of somebody else's, only that a visit sends one message at most.
    own = type(element)
    ordinary = (own.enter, own.resume) == (Send.enter, Send.resume)
    return element.sends if exit == SENT or not ordinary else None


def route(
    begins: Iterable[State],
    leads: Callable[[State], Iterable[tuple[Way, State]]],
    goal: Callable[[Way, State], bool],
) -> tuple[State, list[Way]] | None:
    """A shortest path whose last way, and the state behind it, are the goal: where it begins, and its ways. None where
    there is none."""
    came: dict[State, tuple[State, Way] | None] = dict.fromkeys(begins)
    waiting = deque(came)
    while waiting:
        state = waiting.popleft()
        for way, target in leads(state):
            if goal(way, target):
                found = [way]
                step = came[state]
                while step is not None:
                    found.append(step[1])
                    state = step[0]
                    step = came[state]
                return state, found[::-1]
            if target not in came:
                came[target] = (state, way)
                waiting.append(target)
    return None
