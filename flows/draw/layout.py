"""The layout of a flow: boxes in ranks from top to bottom, joined by lines at right angles.

Layered drawing after Sugiyama, in four rooms: `ranks` (who stands how deep), `order` (who stands left of
whom), `positions` (how far right), `routes` (how high, and the ways of the lines). All of it is plain
arithmetic on numbers handed in: the same boxes and links always give the same drawing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from tactful.flows.draw.bundles import bundle
from tactful.flows.draw.order import arrange
from tactful.flows.draw.positions import place
from tactful.flows.draw.ranks import rank
from tactful.flows.draw.routes import Point, route
from tactful.flows.draw.sheet import Box, Link

__all__ = ["Box", "Layout", "Link", "Point", "lay_out"]

_TANGLED = 6_000  # way points from which on links to one target share theirs from the start


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything stands, in pixels from the upper left corner of it all.

    `corners`: each box's upper left corner. `slots`: which port each box has in each of its slots, from left
    to right. `points`: each link's way, first point at its source's lower edge, last at its target's edge,
    every stretch vertical or horizontal. `beside`: the links that enter their target from the side, all
    others from above. `middle`: how far right the first box's middle is.
    """

    width: float
    height: float
    middle: float
    corners: tuple[Point, ...]
    slots: tuple[tuple[int, ...], ...]
    points: tuple[tuple[Point, ...], ...]
    beside: frozenset[int]


def _sweeps(size: int) -> int:
    """How hard to look for a good order: 200 elements take about a second, 1,000 a few."""
    return next(sweeps for limit, sweeps in ((500, 30), (2_000, 16), (6_000, 8), (inf, 3)) if size < limit)


def lay_out(boxes: Sequence[Box], links: Sequence[Link]) -> Layout:
    """Lay out boxes and links; the first box stands at the top. There must be one box at least.

    No two boxes overlap, no line touches a box but the two it joins, and lines to different boxes never run
    on top of each other. Takes well under a second for 100 boxes, a few for 1,000.
    """
    sheet = rank(boxes, links, 0)
    if len(sheet.rank) - len(boxes) > _TANGLED:
        sheet = rank(boxes, links, 0, shared=True)
    size = len(sheet.rank) + len(links)
    arrange(sheet, sweeps=_sweeps(size))
    bundle(sheet)
    positions = place(sheet, rounds=80 if size < 1500 else 30)
    routes = route(sheet, positions)

    x, top = positions.x, routes.top
    lefts = [x[box] - boxes[box].width / 2 for box in range(len(boxes))]
    seen = [px for points in routes.points for px, _ in points]
    left = min([*lefts, *seen])
    right = max([*(lefts[box] + boxes[box].width for box in range(len(boxes))), *seen])
    return Layout(
        width=right - left,
        height=routes.height,
        middle=x[0] - left,
        corners=tuple((lefts[box] - left, top[sheet.rank[box]]) for box in range(len(boxes))),
        slots=tuple(tuple(slots) for slots in sheet.slots),
        points=tuple(tuple((px - left, py) for px, py in points) for points in routes.points),
        beside=routes.beside,
    )
