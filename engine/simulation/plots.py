"""Bars and lines as SVG, drawn by hand: colours come from the page around them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape
from math import floor, log10
from typing import NamedTuple

from tactful.engine.simulation.report import Figure

WIDTH, HEIGHT = 340, 178
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 6, 8, 22


class Series(NamedTuple):
    """The figures of one report, and the letter it goes by."""

    letter: str
    figures: Sequence[Figure]


def number(value: float) -> str:
    """A number for people: `12,304`."""
    return f"{value:,.0f}"


def bars(series: Sequence[Series], name: Callable[[int], str], unit: str, said: Callable[[float], str]) -> str:
    """Bars side by side; with ranges, each with a thin line from the lowest to the highest."""
    many = max((len(each.figures) for each in series), default=0)
    most = max((figure.high for each in series for figure in each.figures), default=0)
    top, ticks = _scale(most)
    step = (WIDTH - _LEFT - _RIGHT) / max(1, many)
    gap = min(6.0, step * 0.22)
    width = (step - gap) / len(series)
    parts = [*_frame(ticks, top, _short)]
    for at, each in enumerate(series):
        for place, figure in enumerate(each.figures):
            if not figure.high:
                continue
            x = _LEFT + place * step + gap / 2 + at * width
            y = _y(figure.middle, top)
            height = HEIGHT - _BOTTOM - y
            told = f"{name(place)} {unit}: {said(figure.middle)}"
            if figure.low != figure.high:
                told += f" ({said(figure.low)} to {said(figure.high)})"
            parts.append(
                f'<rect class="fill-{each.letter}" x="{x:.1f}" y="{y:.1f}" width="{max(0.8, width - 0.6):.1f}" '
                f'height="{max(0.0, height):.1f}" rx="{min(2.5, width / 3):.1f}"><title>{escape(told)}</title></rect>'
            )
            if figure.low != figure.high and width > 3:
                middle = x + width / 2
                parts.append(
                    f'<path class=whisker fill="none" d="M{middle:.1f} {_y(figure.low, top):.1f}'
                    f'V{_y(figure.high, top):.1f}"/>'
                )
    every = _every(many)
    for place in range(0, many, every):
        x = _LEFT + (place + 0.5) * step
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 5}" text-anchor="middle">{escape(name(place))}</text>')
    return _svg(parts)


def lines(series: Sequence[Series], until: int, a_day: int) -> str:
    """Shares over days, from 0 to 100 %, with `a_day` figures for each; with ranges, each has a band from the lowest to
    the highest."""
    parts = [*_frame([0, 0.25, 0.5, 0.75, 1.0], 1.0, lambda share: f"{100 * share:.0f} %")]
    step = (WIDTH - _LEFT - _RIGHT) / max(1, until) / a_day

    def path(values: Sequence[float]) -> str:
        return " ".join(f"{_LEFT + at * step:.1f},{_y(value, 1.0):.1f}" for at, value in enumerate(values))

    for each in series:
        shown = each.figures[: until * a_day + 1]
        if any(figure.low != figure.high for figure in shown):
            up = path([figure.high for figure in shown]).split(" ")
            down = path([figure.low for figure in shown]).split(" ")
            around = " ".join([*up, *reversed(down)])
            parts.append(f'<polygon class="fill-{each.letter}" fill-opacity=".18" points="{around}"/>')
        parts.append(
            f'<polyline class="line-{each.letter}" fill="none" stroke-width="2.2" stroke-linejoin="round" '
            f'stroke-linecap="round" points="{path([figure.middle for figure in shown])}"/>'
        )
    parts += [
        f'<text x="{_LEFT + day * a_day * step:.1f}" y="{HEIGHT - 5}" text-anchor="middle">{day}</text>'
        for day in range(0, until + 1, _every(until + 1))
    ]
    return _svg(parts)


def _svg(parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(parts)}</svg>'


def _frame(ticks: Sequence[float], top: float, said: Callable[[float], str]) -> Iterator[str]:
    for tick in ticks:
        y = _y(tick, top)
        kind = "base" if tick == 0 else "grid"
        yield f'<path class={kind} d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(said(tick))}</text>'


def _y(value: float, top: float) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _BOTTOM - _TOP) * value / top


def _scale(most: float) -> tuple[float, list[float]]:
    """A round number above all, and three to five round ones on the way."""
    if most <= 0:
        return 1.0, [0.0, 1.0]
    size = 10 ** floor(log10(most / 4))
    step = next(size * by for by in (1, 2, 2.5, 5, 10) if size * by * 4 >= most * 0.999)
    step = max(1.0, step)
    count = max(1, -(-most // step))
    return step * count, [step * at for at in range(int(count) + 1)]


def _short(value: float) -> str:
    if value >= 1_000_000:
        return f"{value / 1_000_000:g} M"
    return f"{value / 1_000:g} k" if value >= 10_000 else f"{value:,.0f}"


def _every(many: int) -> int:
    """Which of so many names fit below: every one, every second, …"""
    return next((every for every in (1, 2, 3, 5, 7, 10, 14, 30, 60, 90, 180, 365) if many / every <= 12), 730)
