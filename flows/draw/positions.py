"""Third room: how far right everything stands.

Vertices that should stand in one column are joined to *blocks*, which move as one: a link's way points, and
each box with the box its journey mainly goes on to. The block of the first box stands at 0. All others are
drawn towards what they are joined to, again and again, without ever coming too close to their neighbours.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from tactful.flows.draw.blocks import WAY_GAP, Blocks, distance
from tactful.flows.draw.columns import columns
from tactful.flows.draw.sheet import Sheet

_EDGE = 24.0  # how close to its corners a line may enter a box
_SNAP = 14.0  # a line this little beside a box's middle goes straight


@dataclass(frozen=True, slots=True)
class Positions:
    """`x`: each vertex's middle; `entry`: how far right of a box's middle lines enter it, one for each box."""

    x: list[float]
    entry: list[float]


def place(sheet: Sheet, rounds: int) -> Positions:
    """Positions for an ordered sheet. More `rounds` bring everything nearer to where it wants to be."""
    blocks = Blocks(sheet)
    joins, arms = columns(sheet)
    for upper, lower, shift in joins:
        blocks.join(upper, lower, shift)
    segments = sheet.segments()
    for kind in (_between_ways, _into_box, _out_of_box):
        for upper, port, lower in segments:
            if kind(sheet, upper, lower):
                blocks.join(upper, lower, sheet.offset(upper, port))
    x = _settle(sheet, blocks, arms, rounds)
    return Positions(x, _entries(sheet, x, blocks))


def _between_ways(sheet: Sheet, upper: int, lower: int) -> bool:
    return not sheet.is_box(upper) and not sheet.is_box(lower)


def _into_box(sheet: Sheet, upper: int, lower: int) -> bool:
    return not sheet.is_box(upper) and sheet.is_box(lower)


def _out_of_box(sheet: Sheet, upper: int, lower: int) -> bool:
    return sheet.is_box(upper) and not sheet.is_box(lower)


def _settle(sheet: Sheet, blocks: Blocks, arms: set[tuple[int, int]], rounds: int) -> list[float]:
    """The middles of all vertices, blocks being drawn to what they are joined to."""
    least: dict[tuple[int, int], float] = {}
    for layer in sheet.layers:
        for left, right in pairwise(layer):
            pair = blocks.of[left], blocks.of[right]
            if pair[0] != pair[1]:
                apart = distance(sheet, left, right) + blocks.offset[left] - blocks.offset[right]
                least[pair] = max(least.get(pair, apart), apart)
    after: defaultdict[int, list[tuple[int, float]]] = defaultdict(list)
    before: defaultdict[int, list[tuple[int, float]]] = defaultdict(list)
    for (left, right), apart in least.items():
        after[left].append((right, apart))
        before[right].append((left, apart))
    order = _from_left(blocks, after, before)

    pulls: defaultdict[int, list[tuple[int, float, float]]] = defaultdict(list)
    joints = [joint for joint in sheet.segments() if blocks.of[joint.upper] != blocks.of[joint.lower]]
    ties = Counter(blocks.of[vertex] for joint in joints for vertex in (joint.upper, joint.lower))
    for upper, port, lower in joints:
        a, b = blocks.of[upper], blocks.of[lower]
        shift = blocks.offset[upper] + sheet.offset(upper, port) - blocks.offset[lower]
        weight = 3.0 if sheet.is_box(upper) and sheet.is_box(lower) else 1.0
        # What hangs by one line follows it; equal arms keep to where they part, whatever they lead to.
        pulls[a].append((b, -shift, weight if ties[b] > 1 else 0.1))
        pulls[b].append((a, shift, 1000.0 if (upper, lower) in arms else weight if ties[a] > 1 else 0.1))
    for box, _, way in sheet.hooks():
        a, b = blocks.of[box], blocks.of[way]
        if a != b:
            side = 1 if blocks.at[way] > blocks.at[box] else -1
            shift = blocks.offset[box] - blocks.offset[way] + side * (sheet.width(box) / 2 + WAY_GAP)
            pulls[b].append((a, shift, 2.0))

    # Who gives way to whom: arms stand evenly, other boxes beside them, lines run where there is room.
    even = {blocks.of[box] for pair in arms for box in pair}
    standing = {blocks.of[box] for box in range(len(sheet.boxes))}
    room = _Room(order, after, before)
    at = dict.fromkeys(order, 0.0)
    for turn in range(rounds):
        wish = {}
        for block in order:
            drawn = pulls[block]
            weight = sum(part for _, _, part in drawn)
            middle = sum((at[to] + shift) * part for to, shift, part in drawn) / weight if drawn else at[block]
            wish[block] = middle if turn < 2 else (middle * 2 + at[block]) / 3
        fixed = {blocks.of[0]: 0.0}
        for several in (even, standing, wish.keys()):
            at = room.spread({block: wish[block] for block in several}, fixed)
            fixed |= {block: at[block] for block in several if block not in fixed}
    return [round(at[blocks.of[vertex]]) + blocks.offset[vertex] for vertex in range(len(sheet.rank))]


Neighbours = defaultdict[int, list[tuple[int, float]]]


def _from_left(blocks: Blocks, after: Neighbours, before: Neighbours) -> list[int]:
    """All blocks, each behind all that stand left of it."""
    waiting = {block: len(before[block]) for block, members in enumerate(blocks.members) if members}
    ready = [block for block, count in waiting.items() if not count]
    for block in ready:  # grows while it is read
        for right, _ in after[block]:
            waiting[right] -= 1
            if not waiting[right]:
                ready.append(right)
    assert len(ready) == len(waiting), "blocks stand left of each other in a circle"
    return ready


class _Room:
    """Who must keep what distance from whom."""

    def __init__(self, order: list[int], after: Neighbours, before: Neighbours) -> None:
        self.order, self.after, self.before = order, after, before

    def spread(self, wish: dict[int, float], fixed: dict[int, float]) -> dict[int, float]:
        """Places close to the wishes that keep all distances; who wishes nothing is anywhere between."""
        low, high = dict(fixed), dict(fixed)
        for block in self.order:
            if block not in fixed:
                low[block] = max((low[left] + apart for left, apart in self.before[block]), default=-inf)
        for block in reversed(self.order):
            if block not in fixed:
                high[block] = min((high[right] - apart for right, apart in self.after[block]), default=inf)
        free = [block for block in self.order if block not in fixed]
        # As if nothing were fixed; then, moving as little as that needs, within what the fixed leave free.
        loose = self._push(free, wish, {})
        bound = {block: min(max(loose[block], low[block]), high[block]) for block in free if block in wish}
        return self._push(free, bound, fixed)

    def _push(self, free: list[int], wish: dict[int, float], fixed: dict[int, float]) -> dict[int, float]:
        """Whoever is too close is pushed right; then the same is done pushing left. Both outcomes keep all
        distances, so their mean does, and it is fair to both sides."""
        rightward, leftward = dict(fixed), dict(fixed)
        for block in free:
            near = [rightward[left] + apart for left, apart in self.before[block] if left in rightward]
            rightward[block] = max([wish.get(block, -inf), *near])
        for block in reversed(free):
            near = [leftward[right] - apart for right, apart in self.after[block] if right in leftward]
            leftward[block] = min([wish.get(block, inf), *near])
        return {block: (rightward[block] + leftward[block]) / 2 for block in rightward}


def _entries(sheet: Sheet, x: list[float], blocks: Blocks) -> list[float]:
    """Where lines enter each box: in its middle, but where the line of its column, or one all but above the
    middle, would come straight down a little beside it."""
    entry = [0.0] * len(sheet.boxes)
    arriving: list[list[tuple[float, bool]]] = [[] for _ in sheet.boxes]
    for upper, port, lower in sheet.segments():
        if sheet.is_box(lower):
            beside = x[upper] + sheet.offset(upper, port) - x[lower]
            arriving[lower].append((beside, blocks.of[upper] == blocks.of[lower]))
    for box, lines in enumerate(arriving):
        room = sheet.boxes[box].width / 2 - _EDGE
        own = [beside for beside, same in lines if same and abs(beside) <= room]
        close = [beside for beside, _ in lines if abs(beside) <= _SNAP]
        if own or close:
            entry[box] = min(own or close, key=abs)
    return entry
