"""Blocks: vertices joined at fixed distances, to be moved as one."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict

from tactful.flows.draw.sheet import Sheet

BOX_GAP = 40.0  # between two boxes
WAY_GAP = 28.0  # between a box and a line
LINE_GAP = 18.0  # between two lines

_MANY = 1500  # from so many vertices on, boxes are joined to the next rank only


def distance(sheet: Sheet, left: int, right: int) -> float:
    """How far apart the middles of two neighbours in a rank must be at least."""
    boxes = sheet.is_box(left) + sheet.is_box(right)
    gap = (LINE_GAP, WAY_GAP, BOX_GAP)[boxes]
    return (sheet.width(left) + sheet.width(right)) / 2 + gap


class Blocks:
    """Vertices joined at fixed distances, never so that two would come too close or pass each other."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.of = list(range(len(sheet.rank)))
        self.offset = [0.0] * len(sheet.rank)
        self.members = [[vertex] for vertex in range(len(sheet.rank))]
        self.at: dict[int, int] = {}
        self.room: dict[int, float] = {}  # how far right at least, if its rank were packed from the left
        self.left: dict[int, int] = {}
        for layer in sheet.layers:
            total = 0.0
            for place, vertex in enumerate(layer):
                if place:
                    self.left[vertex] = layer[place - 1]
                    total += distance(sheet, layer[place - 1], vertex)
                self.at[vertex], self.room[vertex] = place, total
        self.joined: list[list[tuple[int, int]]] = [[] for _ in sheet.layers]
        self.careful = len(sheet.rank) < _MANY
        self.right = {left: vertex for vertex, left in self.left.items()}

    def join(self, upper: int, lower: int, shift: float) -> bool:
        """Keep `lower` `shift` to the right of `upper` from now on, if that can be."""
        one, other = self.of[upper], self.of[lower]
        if one == other:
            return False
        move = self.offset[upper] + shift - self.offset[lower]
        ranks: defaultdict[int, list[int]] = defaultdict(list)
        for vertex in self.members[one]:
            ranks[self.sheet.rank[vertex]].append(vertex)
        for vertex in self.members[other]:
            for beside in ranks.get(self.sheet.rank[vertex], ()):
                apart = self.offset[vertex] + move - self.offset[beside]
                least = self.room[vertex] - self.room[beside]
                if (apart < least) if least > 0 else (apart > least):
                    return False
                if not self.careful and abs(self.at[vertex] - self.at[beside]) > 1:
                    return False
        next_rank = self.sheet.rank[upper] + 1 == self.sheet.rank[lower]
        if self.careful:
            if self._would_pass(one, other):
                return False
        elif not next_rank or self._crosses(upper, lower):
            return False
        if next_rank:
            insort(self.joined[self.sheet.rank[upper]], (self.at[upper], self.at[lower]))
        for vertex in self.members[other]:
            self.of[vertex] = one
            self.offset[vertex] += move
        self.members[one] += self.members[other]
        self.members[other] = []
        return True

    def _crosses(self, upper: int, lower: int) -> bool:
        """Whether this would cross what is joined already between the same two ranks."""
        known = self.joined[self.sheet.rank[upper]]
        pair = self.at[upper], self.at[lower]
        here = bisect_left(known, pair)
        return (here > 0 and known[here - 1][1] > pair[1]) or (here < len(known) and known[here][1] < pair[1])

    def _would_pass(self, one: int, other: int) -> bool:
        """Whether either block stands left of the other by way of third blocks: they could not be one."""
        return self._leads(one, other) or self._leads(other, one)

    def _leads(self, start: int, goal: int) -> bool:
        # A neighbour counts only if a third block lies between: direct ones were measured by the caller.
        seen = {start}
        rest = [start]
        while rest:
            block = rest.pop()
            for vertex in self.members[block]:
                right = self.right.get(vertex)
                if right is None:
                    continue
                after = self.of[right]
                if after == goal and block != start:
                    return True
                if after != goal and after not in seen:
                    seen.add(after)
                    rest.append(after)
        return False
