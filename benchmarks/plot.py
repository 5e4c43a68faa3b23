"""The plot: what a contact costs, with more and more others behind it. One SVG that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from math import ceil, copysign, log10

from benchmarks.figures import Point, shown

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 96, 48, 56
TARGET = 100
"""Microseconds a contact that the engine is to stay under."""

NAME_HEIGHT = 16
"""How far apart two names must be, one above the other."""

STYLE = """
  .paper { fill: #fff } text { font: 13px system-ui, sans-serif; fill: #333 }
  .title { font-weight: 600; font-size: 15px }
  .grid { stroke: #e3e3e3 } .target { stroke: #999; stroke-dasharray: 5 4 } .small { font-size: 12px; fill: #666 }
  .engine { stroke: #0b6e6e; fill: none; stroke-width: 2.5 } .floor { stroke: #b5651d; fill: none; stroke-width: 2.5 }
  .engine-dot { fill: #0b6e6e } .floor-dot { fill: #b5651d }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #16191d } text { fill: #ddd } .grid { stroke: #30353b } .small { fill: #9aa }
    .engine { stroke: #3fc1c1 } .engine-dot { fill: #3fc1c1 } .floor { stroke: #e39a4f } .floor-dot { fill: #e39a4f }
  }
"""


def plot(points: Sequence[Point]) -> str:
    """The picture, as text of an SVG file. The points go by how many are behind; there is at least one."""
    highest = _above(max(TARGET, *(max(point.engine, point.floor) for point in points)))
    first, last = log10(points[0].behind), log10(points[-1].behind)

    def x(behind: int) -> float:
        share = (log10(behind) - first) / (last - first) if last > first else 0.5
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(cost: float) -> float:
        return round(HEIGHT - BOTTOM - cost / highest * (HEIGHT - TOP - BOTTOM), 1)

    def lines() -> Iterator[str]:
        title = "Processor time a contact, on the standard journey"
        yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">'
        yield f"<title>{title}</title>"
        yield f"<style>{STYLE}</style>"
        yield f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>'
        yield _text(LEFT, 26, title, "title")
        for part in range(5):
            cost = highest * part / 4
            yield _line(LEFT, y(cost), WIDTH - RIGHT, y(cost), "grid")
            yield _text(LEFT - 8, y(cost) + 4, f"{shown(cost)} µs" if part else "0", "small", "end")
        for point in points:
            yield _text(x(point.behind), HEIGHT - BOTTOM + 20, f"{point.behind:,}", "small", "middle")
        yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, "contacts that went before", "small", "middle")
        yield _line(LEFT, y(TARGET), WIDTH - RIGHT, y(TARGET), "target")
        # Its name keeps clear of that of the line which ends close to it.
        apart = y(TARGET) - y(points[-1].engine)
        aside = copysign(max(0.0, NAME_HEIGHT - abs(apart)), apart)
        yield _text(WIDTH - RIGHT + 8, y(TARGET) + aside + 4, "target", "small")
        for name, costs in (("engine", [p.engine for p in points]), ("floor", [p.floor for p in points])):
            at = [(x(point.behind), y(cost)) for point, cost in zip(points, costs, strict=True)]
            yield f'<polyline class="{name}" points="{" ".join(f"{a},{b}" for a, b in at)}"/>'
            yield from (f'<circle class="{name}-dot" cx="{a}" cy="{b}" r="4"/>' for a, b in at)
            yield from (_text(a, b - 9, shown(c), "small", "middle") for (a, b), c in zip(at, costs, strict=True))
            yield _text(WIDTH - RIGHT + 8, at[-1][1] + 4, "tactful" if name == "engine" else "the floor")
        yield "</svg>"

    return "\n".join(lines()) + "\n"


def _above(cost: float) -> float:
    """A round number at or above a cost, that four parts of it are round as well."""
    step = 10 ** (ceil(log10(cost)) - 1)
    return next(float(each) for each in (2 * step, 4 * step, 6 * step, 8 * step, 10 * step, 12 * step) if each >= cost)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
