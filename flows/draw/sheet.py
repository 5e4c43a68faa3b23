"""What the rooms of the layout share: the boxes and links given to it, and the sheet they are laid out on.

A sheet knows *vertices* by number: the boxes first, in their order, then *way points*, where a link passes
through a rank on its way. Ranks count from 0 at the top.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

WHOLE = -1
"""The port of a segment that leaves a way point: it has but one."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle to be placed, in pixels.

    `ports` are the places along its lower edge where links may leave, as offsets from its middle, from left
    to right; a box without links needs none. `below` is what must stay free of others beneath it (for what
    hangs from its ports).
    """

    width: float
    height: float
    ports: tuple[float, ...] = ()
    below: float = 0.0


@dataclass(frozen=True, slots=True)
class Link:
    """A line to be drawn, from a port of one box (by number: which slot it gets is decided here) to another
    box, or to the same one. `apart`: it does not share its way with links that are not apart."""

    source: int
    port: int
    target: int
    apart: bool = False


class Segment(NamedTuple):
    """The part of a link between a vertex and one in the next rank. `port` is WHOLE at a way point."""

    upper: int
    port: int
    lower: int


class Hook(NamedTuple):
    """The turn of a backward link: it joins a box and a way point beside it, in the same rank.

    At its source (`port` is its port there) the line turns below the rank, at its target (`port` is WHOLE)
    above it.
    """

    box: int
    port: int
    way: int


@dataclass(slots=True)
class Sheet:
    """A layout in the making.

    `rank` is each vertex's; `layers` holds each rank's vertices from left to right; `slots[box]` says which
    port is in each slot. `ways[link]` are a link's way points from top to bottom: strictly between its two
    boxes for a forward link, in the ranks of both and all between for a `backward` one. Links to the same
    target may share way points.
    """

    boxes: Sequence[Box]
    links: Sequence[Link]
    backward: frozenset[int]
    rank: list[int]
    ways: list[list[int]]
    layers: list[list[int]]
    slots: list[list[int]]

    def is_box(self, vertex: int) -> bool:
        """Whether a vertex is a box rather than a way point."""
        return vertex < len(self.boxes)

    def width(self, vertex: int) -> float:
        """A vertex's width; way points have none."""
        return self.boxes[vertex].width if vertex < len(self.boxes) else 0.0

    def offset(self, box: int, port: int) -> float:
        """How far right of its box's middle a port is, as the slots are now; 0 for WHOLE."""
        return 0.0 if port == WHOLE else self.boxes[box].ports[self.slots[box].index(port)]

    def segments(self) -> list[Segment]:
        """All segments, each once, in the order of the links."""
        found: dict[Segment, None] = {}
        for number, link in enumerate(self.links):
            way = self.ways[number]
            if number in self.backward:
                found.update((Segment(a, WHOLE, b), None) for a, b in pairwise(way))
            else:
                stops = [*way, link.target]
                found[Segment(link.source, link.port, stops[0])] = None
                found.update((Segment(a, WHOLE, b), None) for a, b in pairwise(stops))
        return list(found)

    def hooks(self) -> list[Hook]:
        """All turns of backward links, each once."""
        found: dict[Hook, None] = {}
        for number in sorted(self.backward):
            link, way = self.links[number], self.ways[number]
            found[Hook(link.source, link.port, way[-1])] = None
            found[Hook(link.target, WHOLE, way[0])] = None
        return list(found)
