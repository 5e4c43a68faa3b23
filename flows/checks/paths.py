"""Where journeys can go, and the elements nobody comes to."""

from __future__ import annotations

from functools import cached_property

from tactful.elements.contract import END
from tactful.flows.draft import Draft
from tactful.flows.graph import knotted, reached, to_graph
from tactful.flows.problem import quoted

SENT = "sent"
"""The exit of a send by which a message went out."""

_MOST_STEPS = 300_000
"""Steps all searches of one load may take together, about 0.3 s. Most flows take a few for each wait."""


class _Joined:
    """The exits of all elements written under one id: what only the later one leads to is reached as well."""

    def __init__(self) -> None:
        self.exits: dict[str, str] = {}


class FlowPaths:
    """A draft as a graph, with what several checks ask of it. `reached` is all that a journey may come to."""

    def __init__(self, draft: Draft, start: str) -> None:
        self.draft = draft
        self.start = start
        joined = {name: _Joined() for name in draft.nodes}
        for number, node in enumerate(draft.all_nodes()):
            joined[node.id].exits.update({f"{number}.{way}": to for way, to in node.exits.items()})
        self.graph = to_graph(joined)
        self.reached = reached(self.graph, start)
        self._steps_left = _MOST_STEPS
        self._reached_without: dict[frozenset[str], frozenset[str]] = {}

    @cached_property
    def on_circles(self) -> frozenset[str]:
        """The elements a journey may come to again."""
        return knotted(self.graph)

    def ways_into(self, name: str) -> list[tuple[str, str]]:
        """The (element, exit) pairs that lead to an element, of those elements that are reached themselves."""
        return self._ways_into.get(name, [])

    @cached_property
    def _ways_into(self) -> dict[str, list[tuple[str, str]]]:
        ways: dict[str, list[tuple[str, str]]] = {}
        for name, node in self.draft.nodes.items():
            if name in self.reached:
                for way_out, target in node.exits.items():
                    if target != END:
                        ways.setdefault(target, []).append((name, way_out))
        return ways

    def reached_without(self, sends: frozenset[str]) -> frozenset[str]:
        """All that a journey may come to without any of these sends having gone out. Found once for the same sends;
        nothing where too much was searched already, for then it is not proved."""
        if sends not in self._reached_without:
            if not self.step(len(self.reached)):
                return frozenset()
            nodes = self.draft.nodes
            stack = [self.start]
            seen = set(stack)
            while stack:
                name = stack.pop()
                for way_out, target in nodes[name].exits.items():
                    if target in nodes and target not in seen and not (way_out == SENT and name in sends):
                        seen.add(target)
                        stack.append(target)
            self._reached_without[sends] = frozenset(seen)
        return self._reached_without[sends]

    def step(self, steps: int = 1) -> bool:
        """Whether a search may go so many steps further. A search that may not leaves its question open."""
        self._steps_left -= steps
        return self._steps_left >= 0


def check_reached(paths: FlowPaths) -> None:
    """Every element can be reached from the start."""
    named = {target for node in paths.draft.all_nodes() for target in node.exits.values()}
    for name, node in paths.draft.nodes.items():
        if name not in paths.reached:
            message = f"no path leads to {quoted(name)} from {quoted(paths.start)}, where journeys start"
            hint = None if name in named else f"no `next` names {quoted(name)}"
            paths.draft.report.error(node.spot, "unreachable", message, hint)
