"""Second room: who stands left of whom in each rank, so that few lines cross.

Sweeps down and up the ranks put every vertex at the mean of what it is joined to, then neighbours change
places while that saves crossings; the best order seen is kept. First the ports keep the order they were
given in; only if lines still cross may they change places too, and stay so only where it helps. What is drawn
out of order costs a little as well, so that not half the picture is turned round to save one crossing.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from itertools import combinations, pairwise

from tactful.flows.draw.sheet import WHOLE, Sheet

_PATIENT = 24  # from so many sweeps on, single ports are tried in other places as well
_TRIES = 60
_SWAPPED = 0.4  # what it costs, in crossings, to draw two exits of a box the other way round
_NEAR = 0.05  # what it costs, in crossings, to part a loop's way point from the box it turns at


class _Order:
    """The order of a sheet under change: positions, neighbours, and what crosses what."""

    def __init__(self, sheet: Sheet) -> None:
        count = len(sheet.rank)
        self.sheet = sheet
        self.up: list[list[tuple[int, int]]] = [[] for _ in range(count)]
        self.down: list[list[tuple[int, int]]] = [[] for _ in range(count)]
        self.gaps: list[list[tuple[int, int, int]]] = [[] for _ in sheet.layers]
        for upper, port, lower in sheet.segments():
            self.down[upper].append((lower, port))
            self.up[lower].append((upper, port))
            self.gaps[sheet.rank[upper]].append((upper, port, lower))
        # Turns as (partner in the same rank, whether above the rank).
        self.hooks: list[list[tuple[int, bool]]] = [[] for _ in range(count)]
        self.turns: list[tuple[int, int, bool]] = []
        self.turning: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        for box, port, way in sheet.hooks():
            above = port == WHOLE
            self.hooks[box].append((way, above))
            self.hooks[way].append((box, above))
            self.turns.append((box, way, above))
            if not above:
                self.turning[box, way].append(port)
        self.at = [0] * count
        self.aside: list[list[float]] = []
        self.disorder = 0.0
        self.read()

    def read(self) -> None:
        """Take over the sheet's layers and slots."""
        for layer in self.sheet.layers:
            for place, vertex in enumerate(layer):
                self.at[vertex] = place
        self.aside = []
        self.disorder = 0.0
        for slots in self.sheet.slots:
            aside = [0.0] * len(slots)
            for place, port in enumerate(slots):
                aside[port] = ((place + 0.5) / len(slots) - 0.5) * 0.9
            self.aside.append(aside)
            self.disorder += _SWAPPED * sum(a > b for a, b in combinations(slots, 2))

    def start(self, upper: int, port: int) -> float:
        """Where a segment begins, between the places of a rank."""
        return self.at[upper] + (0.0 if port == WHOLE else self.aside[upper][port])

    def cost(self) -> float:
        """Crossings, those of the turns estimated, and what exits out of their order cost."""
        total = self.disorder
        for gap in self.gaps:
            seen: list[int] = []
            for _, end in sorted((self.start(upper, port), self.at[lower]) for upper, port, lower in gap):
                total += len(seen) - bisect_left(seen, end + 1)
                insort(seen, end)
        for box, way, above in self.turns:
            low, high = sorted((self.at[box], self.at[way]))
            for vertex in self.sheet.layers[self.sheet.rank[box]][low + 1 : high]:
                total += _NEAR + len(self.up[vertex] if above else self.down[vertex])
        for (box, way), ports in self.turning.items():
            side = 1 if self.at[way] > self.at[box] else -1
            aside = self.aside[box]
            total += sum((aside[other] - aside[port]) * side > 0 for port in ports for _, other in self.down[box])
        return total

    def sort(self, level: int, downward: bool) -> None:
        """Put a rank's vertices at the mean of their neighbours above (`downward`) or below."""
        layer = self.sheet.layers[level]
        wish: dict[int, float] = {}
        for vertex in layer:
            if downward:
                ends = [self.start(upper, port) for upper, port in self.up[vertex]]
            else:
                ends = [
                    self.at[lower] - (0.0 if port == WHOLE else self.aside[vertex][port])
                    for lower, port in self.down[vertex]
                ]
            wish[vertex] = sum(ends) / len(ends) if ends else float(self.at[vertex])
        for vertex in layer:
            if not self.sheet.is_box(vertex):
                for partner, above in self.hooks[vertex]:
                    if above == downward:  # nothing else draws it: stand beside the box
                        side = 0.3 if self.at[vertex] > self.at[partner] else -0.3
                        wish[vertex] = wish[partner] + side
        layer.sort(key=wish.__getitem__)
        for place, vertex in enumerate(layer):
            self.at[vertex] = place

    def swap(self, rounds: int) -> None:
        """Let neighbours change places while that saves crossings."""
        for _ in range(rounds):
            changed = False
            for layer in self.sheet.layers:
                for place in range(len(layer) - 1):
                    left, right = layer[place], layer[place + 1]
                    if self._gain(left, right) > 1e-9:
                        layer[place], layer[place + 1] = right, left
                        self.at[right], self.at[left] = place, place + 1
                        changed = True
            if not changed:
                return

    def _gain(self, left: int, right: int) -> float:
        gain = 0.0
        for a, _ in self.down[left]:
            for b, _ in self.down[right]:
                gain += (self.at[a] > self.at[b]) - (self.at[a] < self.at[b])
        for a, port in self.up[left]:
            end = self.start(a, port)
            for b, other in self.up[right]:
                over = self.start(b, other)
                gain += (end > over) - (end < over)
        if self.hooks[left] or self.hooks[right]:
            gain += self._turning(left, right) - self._turning(right, left)
        return gain

    def _turning(self, left: int, right: int) -> float:
        """What the turns of two neighbours cross of each other's lines, in this order."""
        place = min(self.at[left], self.at[right])
        total = 0.0
        for partner, above in self.hooks[left]:
            if partner != right and self.at[partner] > place:
                total += _NEAR + len(self.up[right] if above else self.down[right])
        for partner, above in self.hooks[right]:
            if partner != left and self.at[partner] < place:
                total += _NEAR + len(self.up[left] if above else self.down[left])
        return total

    def turn_ports(self) -> None:
        """Give each box's ports the order of what they lead to, where the given order would cross."""
        for box, slots in enumerate(self.sheet.slots):
            if len(slots) < 2:
                continue
            ends: dict[int, float] = {port: float(self.at[lower]) for lower, port in self.down[box]}
            for partner, above in self.hooks[box]:
                if not above:
                    side = 1e9 if self.at[partner] > self.at[box] else -1e9
                    ends.update((port, side) for port in self.turning[box, partner])
            linked = sorted(ends)
            if any(ends[a] > ends[b] for a, b in pairwise(linked)):
                wanted = iter(sorted(linked, key=ends.__getitem__))
                slots[:] = [next(wanted) if port in ends else port for port in range(len(slots))]
            else:
                slots[:] = range(len(slots))
        self.read()


Best = tuple[float, list[list[int]], list[list[int]]]


def arrange(sheet: Sheet, sweeps: int) -> float:
    """Order the sheet's layers (and slots, where that saves a crossing) in place; returns what is left
    of crossings and disorder. More `sweeps` take longer and cross less; the outcome depends on nothing else."""
    order = _Order(sheet)
    best = order.cost(), _copy(sheet.layers), _copy(sheet.slots)
    given = best[1]
    for turning in (False, True):
        for start in (given, [layer[::-1] for layer in given]):
            sheet.layers[:] = _copy(start)
            sheet.slots[:] = [list(range(len(slots))) for slots in sheet.slots]
            best = _sweep(order, best, sweeps, turning=turning)
        if best[0] < 1:
            break
        given = _copy(best[1])
    if sweeps >= _PATIENT and best[0] >= 1:
        best = _try_ports(order, best)
    sheet.layers[:], sheet.slots[:] = best[1], best[2]
    return best[0]


def _copy(rows: list[list[int]]) -> list[list[int]]:
    return [row[:] for row in rows]


def _sweep(order: _Order, best: Best, sweeps: int, *, turning: bool) -> Best:
    """Sweep from the order the sheet is in; returns the best order seen, the one given if none was better."""
    sheet = order.sheet
    order.read()
    idle = 0
    for sweep in range(sweeps):
        downward = sweep % 2 == 0
        levels = range(len(sheet.layers))
        for level in levels if downward else reversed(levels):
            order.sort(level, downward)
        order.swap(8)
        if turning:
            order.turn_ports()
        cost = order.cost()
        idle += 1
        if cost < best[0] - 1e-9:
            best = cost, _copy(sheet.layers), _copy(sheet.slots)
            idle = 0
        if best[0] < _NEAR / 2 or idle > 8:
            break
    return best


def _try_ports(order: _Order, best: Best) -> Best:
    """Let two neighbouring ports of one box change places, and see whether that saves a crossing."""
    sheet = order.sheet
    tried = 0
    for box, slots in enumerate(best[2]):
        for slot in range(len(slots) - 1):
            tried += 1
            if best[0] < 1 or tried > _TRIES:
                return best
            sheet.layers[:], sheet.slots[:] = _copy(best[1]), _copy(best[2])
            mine = sheet.slots[box]
            mine[slot], mine[slot + 1] = mine[slot + 1], mine[slot]
            best = _sweep(order, best, 6, turning=False)
    return best
