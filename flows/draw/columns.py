"""Which boxes stand below each other: the column of every journey's main way.

Which way a journey mainly goes: the longer one, and never a failure if there is another. Where several are
equally long, none is preferred: they stand evenly on both sides, and the box they meet at again stands below
the one they part at.
"""

from __future__ import annotations

from typing import NamedTuple

from tactful.flows.draw.sheet import Sheet


class Columns(NamedTuple):
    """`joins`: what stands below what, as (upper, lower, how far right of upper), the most important first.
    `arms`: every box with several equal ways on, with each box that only it leads to."""

    joins: list[tuple[int, int, float]]
    arms: set[tuple[int, int]]


def columns(sheet: Sheet) -> Columns:
    """The columns of an ordered sheet, that of the first box before all others."""
    count = len(sheet.boxes)
    below: list[dict[int, int]] = [{} for _ in range(count)]  # to the link that leads there
    above: list[set[int]] = [set() for _ in range(count)]
    apart: set[tuple[int, int]] = set()
    for number, link in enumerate(sheet.links):
        if number not in sheet.backward:
            below[link.source].setdefault(link.target, number)
            above[link.target].add(link.source)
            if link.apart:
                apart.add((link.source, link.target))
    by_rank = sorted(range(count), key=lambda box: sheet.rank[box])
    length = [0] * count
    for box in reversed(by_rank):
        length[box] = max((length[under] + 1 for under in below[box]), default=0)

    def next_rank(box: int, under: int) -> bool:
        return sheet.rank[under] == sheet.rank[box] + 1

    joins: list[tuple[int, int, float]] = []
    arms: set[tuple[int, int]] = set()
    taken: set[int] = set()
    for top in by_rank:
        box, main = top, top == by_rank[0]
        while below[box]:
            best = min(below[box], key=lambda under: ((box, under) in apart, -length[under], sheet.rank[under]))
            own = [
                under
                for under in below[box]
                if next_rank(box, under) and above[under] == {box} and (box, under) not in apart
            ]
            equal = [under for under in own if length[under] == length[best]]
            under: int | None = best
            if len(equal) > 1:
                arms.update((box, arm) for arm in own)
                under = _meeting(sheet, below, equal)
            if under is None or under in taken:
                break
            if not main and len(equal) < 2:
                near = [over for over in above[under] if next_rank(over, under)]
                if near != [box]:
                    break
            if under == best:
                leads = below[box][under]
                shift = sheet.offset(box, sheet.links[leads].port)
                joins += [(box, way, shift) for way in sheet.ways[leads]]
            joins.append((box, under, 0.0))
            taken.add(under)
            box = under
    return Columns(joins, arms)


def _meeting(sheet: Sheet, below: list[dict[int, int]], arms: list[int]) -> int | None:
    """The first box that all of these lead to, looking a few dozen boxes far."""
    reached: list[set[int]] = []
    for arm in arms:
        seen, rest = {arm}, [arm]
        while rest and len(seen) < 60:
            for under in below[rest.pop(0)]:
                if under not in seen:
                    seen.add(under)
                    rest.append(under)
        reached.append(seen)
    shared = set.intersection(*reached) - set(arms)
    return min(shared, key=lambda box: (sheet.rank[box], box), default=None)
