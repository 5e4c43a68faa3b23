"""Between the second room and the third: lines side by side to the same box become one.

From the target upwards, way points that stand next to each other and lead to the same box are merged, so
that many lines to one box arrive as one trunk. Nothing crosses more by it.
"""

from __future__ import annotations

from itertools import pairwise

from tactful.flows.draw.sheet import Sheet


def bundle(sheet: Sheet) -> None:
    """Merge such way points in place; those merged away leave the sheet's layers."""
    goes: dict[int, tuple[int, bool, bool]] = {}
    for number, link in enumerate(sheet.links):
        for vertex in sheet.ways[number]:
            goes[vertex] = link.target, link.apart, number in sheet.backward
    after: dict[int, int] = {}  # the way point a journey passes next
    for number in range(len(sheet.links)):
        on = sheet.ways[number] if number not in sheet.backward else sheet.ways[number][::-1]
        after.update(pairwise(on))

    became: dict[int, int] = {}
    for backward, layers in ((False, reversed(sheet.layers)), (True, iter(sheet.layers))):
        for layer in layers:
            kept: list[int] = []
            for vertex in layer:
                before = kept[-1] if kept else None
                if (
                    before is not None
                    and vertex in goes
                    and goes[vertex][2] == backward
                    and goes.get(before) == goes[vertex]
                    and became.get(after.get(vertex, -1), after.get(vertex))
                    == became.get(after.get(before, -1), after.get(before))
                ):
                    became[vertex] = before
                else:
                    kept.append(vertex)
            layer[:] = kept
    for number, way in enumerate(sheet.ways):
        sheet.ways[number] = [became.get(vertex, vertex) for vertex in way]
