"""Fourth room: how high everything stands, and the way of every line.

Lines run straight down through the ranks and change sides only in the gaps between them. What meets at one
point shares one horizontal stretch (a *net*); nets that would touch get tracks of their own, in the order that
crosses least. Where two nets would have to be above each other at once, one takes two tracks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tactful.flows.draw.positions import Positions
from tactful.flows.draw.sheet import Sheet

SIDE = 33.0  # how far below its upper edge a line enters a box from the side

_OPEN = 44.0  # a gap without tracks
_LEAVE = 20.0  # from a rank to the first track below it
_CLEAR = 10.0  # from what hangs below a rank to the first track
_ARRIVE = 28.0  # from the last track to the rank below: room for a bend and an arrow
_TRACK = 14.0
_TOUCH = 10.0  # closer than this, two lines are taken for one
_APART = 1_000_000.0  # the cost of two lines lying on each other, in crossings

Point = tuple[float, float]


@dataclass(slots=True)
class _Net:
    """What meets in one gap: at which x it touches the rank above and the rank below."""

    above: set[float] = field(default_factory=set)
    below: set[float] = field(default_factory=set)
    part: _Net | None = None  # the second half, further down, of a net with two tracks
    whole: _Net | None = None  # for a second half: the first
    track: int = 0
    y: float = 0.0

    @property
    def span(self) -> tuple[float, float]:
        pins = self.above | self.below
        return min(pins), max(pins)

    @property
    def straight(self) -> bool:
        low, high = self.span
        return high - low < 1


@dataclass(frozen=True, slots=True)
class Routes:
    """`top`: where each rank begins; `points`: each link's way from its source's lower edge to its target;
    `height`: of everything; `beside`: the links that enter their target from the side."""

    top: list[float]
    points: list[list[Point]]
    height: float
    beside: frozenset[int]


def route(sheet: Sheet, positions: Positions) -> Routes:
    """The ways of all links on a sheet whose vertices have their x."""
    plan = _Plan(sheet, positions)
    top, height = plan.heights()
    points = [_simple(plan.way(number, top)) for number in range(len(sheet.links))]
    return Routes(top, points, height, plan.beside)


def _simple(points: list[Point]) -> list[Point]:
    """The same way without repeated points and without points on a straight stretch."""
    kept: list[Point] = []
    for point in points:
        if kept and abs(kept[-1][0] - point[0]) < 0.01 and abs(kept[-1][1] - point[1]) < 0.01:
            continue
        if len(kept) > 1 and any(abs(kept[-2][k] - kept[-1][k]) + abs(kept[-1][k] - point[k]) < 0.01 for k in (0, 1)):
            kept.pop()
        kept.append(point)
    return kept


class _Plan:
    """The nets of every gap. Gap n lies above rank n, the last one below the last rank."""

    def __init__(self, sheet: Sheet, positions: Positions) -> None:
        self.sheet = sheet
        self.x = positions.x
        self.entry = [positions.x[box] + positions.entry[box] for box in range(len(sheet.boxes))]
        self.nets: list[dict[tuple[str, int], _Net]] = [{} for _ in range(len(sheet.layers) + 1)]
        self.tracks = [0] * len(self.nets)
        self.beside = self._beside()
        self._collect()
        for gap, nets in enumerate(self.nets):
            self.tracks[gap] = _assign([net for net in nets.values() if not net.straight], list(nets.values()))

    def _beside(self) -> frozenset[int]:
        """The backward links whose last way point stands right beside their target."""
        found = set()
        last = {(self.sheet.links[n].target, self.sheet.ways[n][0]) for n in self.sheet.backward}
        for number in self.sheet.backward:
            target, way = self.sheet.links[number].target, self.sheet.ways[number][0]
            layer = self.sheet.layers[self.sheet.rank[target]]
            low, high = sorted((layer.index(target), layer.index(way)))
            if all((target, between) in last for between in layer[low + 1 : high]):
                found.add(number)
        return frozenset(found)

    def _net(self, gap: int, key: tuple[str, int]) -> _Net:
        return self.nets[gap].setdefault(key, _Net())

    def _collect(self) -> None:
        rank = self.sheet.rank
        for number, link in enumerate(self.sheet.links):
            way = self.sheet.ways[number]
            start = self.x[link.source] + self.sheet.offset(link.source, link.port)
            if number not in self.sheet.backward:
                before = start
                for vertex in (*way, link.target):
                    net = self._net(rank[vertex], ("down", vertex))
                    net.above.add(before)
                    before = self.entry[vertex] if vertex == link.target else self.x[vertex]
                    net.below.add(before)
                continue
            self._net(rank[link.source] + 1, ("up", way[-1])).above.update((start, self.x[way[-1]]))
            for upper, lower in pairwise(way):
                net = self._net(rank[lower], ("up", upper))
                net.above.add(self.x[upper])
                net.below.add(self.x[lower])
            if number not in self.beside:
                net = self._net(rank[link.target], ("down", link.target))
                net.below.update((self.x[way[0]], self.entry[link.target]))

    def heights(self) -> tuple[list[float], float]:
        """Where each rank begins, and where everything ends; gives every net its y."""
        top: list[float] = []
        y = clear = 0.0  # where the boxes above end, and where what hangs from them does
        for gap, nets in enumerate(self.nets):
            first = max(y + _LEAVE, clear + _CLEAR)
            for net in nets.values():
                for part in (net, net.part):
                    if part is not None:
                        part.y = first + part.track * _TRACK
            if self.tracks[gap]:
                y = first + (self.tracks[gap] - 1) * _TRACK + _ARRIVE
            elif 0 < gap < len(self.sheet.layers):
                y = max(y + _OPEN, clear + _LEAVE)
            if gap < len(self.sheet.layers):
                top.append(y)
                boxes = [self.sheet.boxes[v] for v in self.sheet.layers[gap] if self.sheet.is_box(v)]
                clear = y + max((box.height + box.below for box in boxes), default=0.0)
                y += max((box.height for box in boxes), default=0.0)
        return top, max(y, clear)

    def way(self, number: int, top: Sequence[float]) -> list[Point]:
        """All points of a link, from its source to its target."""
        sheet, rank, link = self.sheet, self.sheet.rank, self.sheet.links[number]
        way = sheet.ways[number]
        start = self.x[link.source] + sheet.offset(link.source, link.port)
        points: list[Point] = [(start, top[rank[link.source]] + sheet.boxes[link.source].height)]
        if number not in sheet.backward:
            before = start
            for vertex in (*way, link.target):
                after = self.entry[vertex] if vertex == link.target else self.x[vertex]
                points += _down(self.nets[rank[vertex]]["down", vertex], before, after)
                before = after
            return [*points, (before, top[rank[link.target]])]
        turn = self.nets[rank[link.source] + 1]["up", way[-1]]
        points += [(start, turn.y), (self.x[way[-1]], turn.y)]
        for upper, lower in pairwise(reversed(way)):
            net = self.nets[rank[upper]]["up", lower]
            points += reversed(_down(net, self.x[lower], self.x[upper]))
        x = self.x[way[0]]
        edge = top[rank[link.target]]
        if number in self.beside:
            half = sheet.boxes[link.target].width / 2
            side = self.x[link.target] + (half if x > self.x[link.target] else -half)
            y = edge + min(SIDE, sheet.boxes[link.target].height / 2)
            return [*points, (x, y), (side, y)]
        net = self.nets[rank[link.target]]["down", link.target]
        low = (net.part or net).y
        return [*points, (x, low), (self.entry[link.target], low), (self.entry[link.target], edge)]


def _down(net: _Net, before: float, after: float) -> list[Point]:
    """The bends of one line through a gap, from its x above to its x below."""
    if net.part is None:
        return [(before, net.y), (after, net.y)]
    (middle,) = net.part.above
    return [(before, net.y), (middle, net.y), (middle, net.part.y), (after, net.part.y)]


# --- Tracks ------------------------------------------------------------------------------------------


def _assign(nets: list[_Net], everyone: list[_Net]) -> int:
    """Give every net a track, 0 being the uppermost; returns how many there are."""
    pins = {pin for net in everyone for pin in net.above | net.below}
    while True:
        order, clash = _sorted(nets)
        if clash is None:
            break
        nets.append(_split(clash, pins))
    count = 0
    for place, net in enumerate(order):
        net.track = max((over.track + 1 for over in order[:place] if _meet(over, net)), default=0)
        count = max(count, net.track + 1)
    return count


def _meet(one: _Net, other: _Net) -> bool:
    (low, high), (begin, end) = one.span, other.span
    return low < end + 2 * _TOUCH and begin < high + 2 * _TOUCH


def _over(upper: _Net, lower: _Net) -> float:
    """What it costs to have one net above another: crossings, and lines on top of each other."""
    if upper.whole is lower:
        return _APART * _APART
    if lower.whole is upper:
        return 0.0
    (low, high), (begin, end) = upper.span, lower.span
    cost = 0.0
    for pin in lower.above:
        cost += low < pin < high
        cost += _APART * any(abs(pin - other) < _TOUCH for other in upper.below)
    for pin in upper.below:
        cost += begin < pin < end
    return cost


def _sorted(nets: list[_Net]) -> tuple[list[_Net], _Net | None]:
    """The nets from the top down in a cheap order, and one that should be split, if any."""
    count = len(nets)
    cost = [[0.0] * count for _ in nets]
    for i, one in enumerate(nets):
        for j, other in enumerate(nets):
            if i != j and _meet(one, other):
                cost[i][j] = _over(one, other)
    order = list(range(count))
    for _ in range(4 if count < 60 else 1):
        moved = False
        for mine in range(count):
            here = order.index(mine)
            rest = order[:here] + order[here + 1 :]
            total = sum(cost[mine][that] for that in rest)  # at the very top
            best, chosen, standing = total, 0, total
            for place, that in enumerate(rest, start=1):
                total += cost[that][mine] - cost[mine][that]
                if total < best:
                    best, chosen = total, place
                if place == here:
                    standing = total
            if best < standing:
                order = [*rest[:chosen], mine, *rest[chosen:]]
                moved = True
        if not moved:
            break
    for place, number in enumerate(order):
        parted = nets[number].part is not None or nets[number].whole is not None
        if not parted and any(cost[number][under] >= _APART for under in order[place + 1 :]):
            return [nets[each] for each in order], nets[number]
    return [nets[each] for each in order], None


def _split(net: _Net, pins: set[float]) -> _Net:
    """Part a net in two at an x that nothing else uses; returns the lower half."""
    low, high = net.span
    middle = start = round((low + high) / 2)
    step = 0
    while any(abs(middle - pin) < _TOUCH for pin in pins):
        step += 1
        middle = start + (step // 2 + 1) * 6 * (1 if step % 2 else -1)
    pins.add(middle)
    lower = _Net(above={middle}, below=net.below, whole=net)
    net.below = {middle}
    net.part = lower
    return lower
