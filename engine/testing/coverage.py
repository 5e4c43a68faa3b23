"""Path coverage: which exits of which elements were taken, and which by no scenario. Pure.

What counts are the exits a picture of the flow shows. An exit that need not be named and ends the journey (a send's
`failed`, say) counts on request only: hardly a flow names it, nobody wrote anything to be tried there, and to count it
would ask for two more scenarios for every message. An exit nothing can leave by never counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

from tactful.elements.contract import END
from tactful.flows.draft import NOT_SENT
from tactful.flows.exits import goes_unsaid
from tactful.flows.model import Flow, Node


class Taken(NamedTuple):
    """An exit a journey took."""

    flow: str
    element: str
    exit: str


class Exit(NamedTuple):
    """A way out: of which element, where it leads (an element or `end`), and the line the element stands on. `unsaid`:
    it need not be named, and ends the journey."""

    element: str
    exit: str
    to: str
    line: int
    unsaid: bool


@dataclass(frozen=True, slots=True)
class FlowCoverage:
    """One flow. `file` is its file as it was named; `exits` are all that count, in the order of the file."""

    flow: str
    file: str
    exits: tuple[Exit, ...]
    taken: frozenset[tuple[str, str]] = frozenset()

    @property
    def untaken(self) -> tuple[Exit, ...]:
        """The exits nobody took, in the order of the file."""
        return tuple(each for each in self.exits if (each.element, each.exit) not in self.taken)

    def said(self) -> str:
        """What was taken, in a line, and a line for each exit that was not: `file:line: element -> exit -> target`."""
        exits, untaken = len(self.exits), self.untaken
        lines = [f"{self.flow}: {exits - len(untaken)} of {exits} exits taken"]
        lines += [f"  {self.file}:{each.line}: {each.element} -> {each.exit} -> {each.to}" for each in untaken]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """flow, file, taken, exits (numbers), percent, untaken: each with element, exit, to, line."""
        return {
            "flow": self.flow,
            "file": self.file,
            **_counted(len(self.exits), len(self.untaken)),
            "untaken": [each._asdict() for each in self.untaken],
        }


@dataclass(frozen=True, slots=True)
class Coverage:
    """All flows, by file."""

    flows: tuple[FlowCoverage, ...]

    @classmethod
    def of(cls, flows: Iterable[FlowCoverage]) -> Self:
        """Several looks at flows put together: what was taken in one of a flow's counts for that flow. A flow is its
        file and its id."""
        found: dict[tuple[Path, str], FlowCoverage] = {}
        for each in flows:
            first = found.setdefault((Path(each.file).resolve(), each.flow), each)
            if first is not each:
                key = Path(each.file).resolve(), each.flow
                found[key] = FlowCoverage(first.flow, first.file, first.exits, first.taken | each.taken)
        return cls(tuple(found[key] for key in sorted(found)))

    @property
    def exits(self) -> int:
        """How many exits there are."""
        return sum(len(flow.exits) for flow in self.flows)

    @property
    def taken(self) -> int:
        """How many of them were taken."""
        return self.exits - sum(len(flow.untaken) for flow in self.flows)

    @property
    def percent(self) -> float:
        """The share that was taken; 100 where there is no exit."""
        return 100 * self.taken / self.exits if self.exits else 100.0

    def as_json(self) -> dict[str, Any]:
        """taken, exits, percent, flows."""
        return {
            **_counted(self.exits, self.exits - self.taken),
            "flows": [flow.as_json() for flow in self.flows],
        }


def _counted(exits: int, untaken: int) -> dict[str, Any]:
    percent = 100 * (exits - untaken) / exits if exits else 100.0
    return {"taken": exits - untaken, "exits": exits, "percent": round(percent, 2)}


def cover(flow: Flow, taken: Iterable[Taken], *, all_exits: bool = False) -> FlowCoverage:
    """What of a flow was taken. `all_exits` counts those as well that need not be named and end the journey."""
    exits = tuple(each for each in exits_of(flow) if all_exits or not each.unsaid)
    theirs = frozenset((each.element, each.exit) for each in taken if each.flow == flow.id)
    return FlowCoverage(flow.id, flow.nodes[flow.start].place.file, exits, theirs)


def exits_of(flow: Flow) -> Iterator[Exit]:
    """All exits that can be taken, in the order of the file."""
    for node in flow.nodes.values():
        for exit, to in node.exits.items():
            if not _never_taken(flow, node, exit):
                yield Exit(node.id, exit, to, node.place.line, goes_unsaid(node, exit))


def _never_taken(flow: Flow, node: Node, exit: str) -> bool:
    """Whether nothing can ever leave there: in time, where the wait is for ever; unsent, where its message was sent on
    every path that leads to it."""
    if exit == "timed_out":
        return getattr(node.element, "within", None) == "forever"
    messages = getattr(node.element, "message", None) or ()
    return exit == NOT_SENT and not _reached_without(flow.nodes, flow.start, node.id, messages)


def _reached_without(nodes: Mapping[str, Node], start: str, goal: str, messages: Iterable[str]) -> bool:
    """Whether a path leads to an element on which none of the messages is sent."""
    never, seen, ahead = frozenset(messages), {start}, [start]
    while ahead:
        id = ahead.pop()
        if id == goal:
            return True
        for exit, to in nodes[id].exits.items():
            if to != END and to not in seen and not (id in never and exit == "sent"):
                seen.add(to)
                ahead.append(to)
    return False
