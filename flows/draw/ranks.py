"""First room: which links run backward, and the rank of every box.

Links found on a walk from the first box that lead to a box the walk is still inside of close a circle; these
run backward. All others lead downward, each box standing as high as the links to it allow, so that the
longest way through is drawn without a gap.
"""

from __future__ import annotations

from collections.abc import Sequence

from tactful.flows.draw.sheet import Box, Link, Sheet


def walk(count: int, links: Sequence[Link], first: int) -> tuple[list[int], frozenset[int]]:
    """All boxes in the order of a walk, depth first and by ports, from `first`, then from what is left in
    order; and the numbers of the links that close a circle."""
    leaving: list[list[int]] = [[] for _ in range(count)]
    for number in sorted(range(len(links)), key=lambda number: (links[number].port, number)):
        leaving[links[number].source].append(number)
    order: list[int] = []
    backward: set[int] = set()
    inside, seen = set[int](), set[int]()
    for root in (first, *range(count)):
        if root in seen:
            continue
        stack = [(root, iter(leaving[root]))]
        order.append(root)
        seen.add(root)
        inside.add(root)
        while stack:
            box, rest = stack[-1]
            for number in rest:
                target = links[number].target
                if target in inside:
                    backward.add(number)
                elif target not in seen:
                    order.append(target)
                    seen.add(target)
                    inside.add(target)
                    stack.append((target, iter(leaving[target])))
                    break
            else:
                inside.discard(box)
                stack.pop()
    return order, frozenset(backward)


def rank(boxes: Sequence[Box], links: Sequence[Link], first: int, *, shared: bool = False) -> Sheet:
    """A sheet with ranks, way points and a first order from left to right (that of the walk).

    `shared`: links to the same target share their way points from the start, which keeps the sheet of a
    very large or very tangled flow small.
    """
    count = len(boxes)
    order, backward = walk(count, links, first)
    above: list[list[int]] = [[] for _ in boxes]
    below: list[list[int]] = [[] for _ in boxes]
    for number, link in enumerate(links):
        if number not in backward:
            above[link.target].append(link.source)
            below[link.source].append(link.target)

    ranks = _ranks(order, above, below, first)
    ways: list[list[int]] = []
    known: dict[tuple[int, bool, bool, int], int] = {}
    for number, link in enumerate(links):
        if number in backward:
            span = range(ranks[link.target], ranks[link.source] + 1)
        else:
            span = range(ranks[link.source] + 1, ranks[link.target])
        way = []
        for level in span:
            key = (link.target, link.apart, number in backward, level)
            if not shared or key not in known:
                known[key] = len(ranks)
                ranks.append(level)
            way.append(known[key])
        ways.append(way)

    layers: list[list[int]] = [[] for _ in range(max(ranks) + 1)]
    slots = [list(range(len(box.ports))) for box in boxes]
    placed: set[int] = set()
    by_source: list[list[int]] = [[] for _ in boxes]
    for number in sorted(range(len(links)), key=lambda number: (links[number].port, number)):
        by_source[links[number].source].append(number)
    for box in order:
        for vertex in (box, *(way for number in by_source[box] for way in ways[number])):
            if vertex not in placed:
                placed.add(vertex)
                layers[ranks[vertex]].append(vertex)
    return Sheet(boxes, links, backward, ranks, ways, layers, slots)


def _ranks(order: list[int], above: list[list[int]], below: list[list[int]], first: int) -> list[int]:
    reached, rest = {first}, [first]
    for box in rest:  # grows while it is read
        fresh = set(below[box]) - reached
        reached |= fresh
        rest += sorted(fresh)
    ranks = [int(box not in reached) for box in range(len(order))]
    waiting = [len(several) for several in above]
    ready = [box for box in order if not waiting[box]]
    for box in ready:  # likewise
        for under in below[box]:
            ranks[under] = max(ranks[under], ranks[box] + 1)
            waiting[under] -= 1
            if not waiting[under]:
                ready.append(under)
    for box in reversed(ready):
        # What more lines leave than reach stands close to what it leads to; so does what cannot be reached.
        if box not in reached or (len(set(below[box])) > len(set(above[box])) and box != first):
            ranks[box] = max(ranks[box], min((ranks[under] for under in below[box]), default=0) - 1)
    return ranks
