"""A flow as SVG: self-contained, the same bytes for the same flow, readable by screen readers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from math import ceil

from tactful.flows.draw import frames as size
from tactful.flows.draw import text
from tactful.flows.draw.cards import Chip, Highlight, cards, described
from tactful.flows.draw.frames import Frame, frames
from tactful.flows.draw.layout import Layout, Link, Point, lay_out
from tactful.flows.draw.looks import DARK, FONT, ICONS, LIGHT, Looks, mix
from tactful.flows.model import Flow

MARGIN = 40.0
NAME, ABOUT = 20.0, 13.0  # font sizes of the heading
LEAST_WIDTH = 440.0
BEND = 10.0  # the radius of corners
ARROW = 8.0


@dataclass(frozen=True, slots=True)
class Svg:
    """An SVG document and its size in pixels."""

    text: str
    width: float
    height: float


def to_svg(flow: Flow, *, dark: bool = False, highlight: Highlight | None = None) -> Svg:
    """The flow as one SVG document. Nothing in it is loaded from elsewhere, and nothing runs."""
    framed = frames(cards(flow, highlight))
    links = [
        Link(number, port, chip.to, chip.red)
        for number, frame in enumerate(framed)
        for port, chip in enumerate(frame.card.chips)
        if chip.to is not None
    ]
    layout = lay_out([frame.box for frame in framed], links)
    picture = _Picture(flow, DARK if dark else LIGHT, framed, links, layout, highlight)
    return Svg(picture.text(), picture.width, picture.height)


def _n(value: float) -> str:
    """A number as short as it can be written with two decimals."""
    return f"{value + 0.0:.2f}".rstrip("0").rstrip(".") if abs(value) >= 0.005 else "0"


class _Picture:
    """Puts the parts of the document together, from the back to the front."""

    def __init__(
        self,
        flow: Flow,
        looks: Looks,
        framed: Sequence[Frame],
        links: Sequence[Link],
        layout: Layout,
        highlight: Highlight | None,
    ) -> None:
        self.flow, self.looks = flow, looks
        self.red = None if highlight is None else text.plain(highlight.says)
        self.framed, self.links, self.layout = framed, links, layout
        self.width = float(ceil(max(layout.width, LEAST_WIDTH) + 2 * MARGIN))
        self.about = text.wrap(text.plain(flow.about), ABOUT, min(self.width - 2 * MARGIN, 720), 3)
        self.top = MARGIN + NAME + 22 * (len(self.about) + (self.red is not None)) + 26
        self.left = (self.width - layout.width) / 2
        self.height = float(ceil(self.top + layout.height + MARGIN))

    def text(self) -> str:
        name = escape(text.plain(self.flow.id))
        told = escape("\n".join(filter(None, [text.plain(self.flow.about), self.red, *described(self.flow)])))
        width, height = _n(self.width), _n(self.height)
        mark = "".join(filter(str.isalnum, self.flow.fingerprint[:8]))  # several pictures may share a page
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img" aria-labelledby="name-{mark} told-{mark}" '
            f'font-family="{FONT}">'
        )
        parts = [
            head,
            f'<title id="name-{mark}">{name}</title>',
            f'<desc id="told-{mark}">{told}</desc>',
            f'<rect width="{width}" height="{height}" fill="{self.looks.ground}"/>',
            *self.heading(),
            f'<g transform="translate({_n(self.left)} {_n(self.top)})">',
            *self.lines(),
            *(part for number in range(len(self.framed)) for part in self.card(number)),
            "</g>",
            "</svg>",
        ]
        return "\n".join(parts) + "\n"

    def heading(self) -> Iterator[str]:
        base = MARGIN + NAME - 4
        name = text.fit(text.plain(self.flow.id), NAME, self.width - 2 * MARGIN, strong=True)
        yield (
            f'<text x="{_n(MARGIN)}" y="{_n(base)}" font-size="{_n(NAME)}" font-weight="600" '
            f'fill="{self.looks.ink}">{escape(name)}</text>'
        )
        for number, line in enumerate(self.about, start=1):
            yield (
                f'<text x="{_n(MARGIN)}" y="{_n(base + 3 + 20 * number)}" font-size="{_n(ABOUT)}" '
                f'fill="{self.looks.quiet}">{escape(line)}</text>'
            )
        if self.red is not None:
            said = text.fit(self.red, ABOUT, self.width - 2 * MARGIN, strong=True)
            yield (
                f'<text x="{_n(MARGIN)}" y="{_n(base + 5 + 20 * (len(self.about) + 1))}" font-size="{_n(ABOUT)}" '
                f'font-weight="600" fill="{self.looks.bad}">{escape(said)}</text>'
            )

    # --- Lines -----------------------------------------------------------------------------------

    def lines(self) -> Iterator[str]:
        """All lines, those to one card together: where lines to different cards cross, the later one
        passes over with a little air around it."""
        targets: dict[int, list[int]] = {}
        for number, link in enumerate(self.links):
            targets.setdefault(link.target, []).append(number)
        for target in sorted(targets):
            group = sorted(targets[target], key=lambda number: not self.links[number].apart)
            paths = [_path(self.layout.points[number]) for number in group]
            yield (
                f'<g fill="none" stroke="{self.looks.ground}" stroke-width="6">'
                + "".join(f'<path d="{path}"/>' for path in paths)
                + "</g>"
            )
            for number, path in zip(group, paths, strict=True):
                link = self.links[number]
                yield f'<path d="{path}" fill="none" {self.stroke(self.framed[link.source].card.chips[link.port])}/>'
            heads: dict[tuple[Point, Point], bool] = {}
            for number in group:
                before, tip = self.layout.points[number][-2:]
                way = (_sign(tip[0] - before[0]), _sign(tip[1] - before[1]))
                heads[tip, way] = heads.get((tip, way), True) and self.links[number].apart
            for (tip, way), red in heads.items():
                yield self.arrow(tip, way, self.looks.bad if red else self.looks.line)

    def stroke(self, chip: Chip) -> str:
        colour = self.looks.bad if chip.red else self.looks.line
        return f'stroke="{colour}" stroke-width="1.5"' + (' stroke-dasharray="5 4"' if chip.failure else "")

    def arrow(self, tip: Point, way: Point, colour: str) -> str:
        (x, y), (right, down) = tip, way
        back = x - right * ARROW, y - down * ARROW
        wing = ARROW * 0.58
        corners = (
            (x, y),
            (back[0] + down * wing, back[1] + right * wing),
            (back[0] - down * wing, back[1] - right * wing),
        )
        return f'<path d="M{"L".join(f"{_n(a)} {_n(b)}" for a, b in corners)}z" fill="{colour}"/>'

    # --- Cards -----------------------------------------------------------------------------------

    def card(self, number: int) -> Iterator[str]:
        frame, looks = self.framed[number], self.looks
        card = frame.card
        left, top = self.layout.corners[number]
        hover = "\n".join([f"{card.id} ({card.type})" if card.id else card.title, *card.lines, *card.stops])
        yield f'<g transform="translate({_n(left)} {_n(top)})"><title>{escape(hover)}</title>'
        width, height = _n(frame.width), _n(frame.height)
        yield f'<rect y="2" width="{width}" height="{height}" rx="12" fill="{looks.shade}"/>'
        yield f'<rect width="{width}" height="{height}" rx="12" fill="{looks.panel}" stroke="{looks.rim}"/>'
        yield from self.face(frame)
        yield from self.exits(number)
        yield "</g>"

    def face(self, frame: Frame) -> Iterator[str]:
        card, looks = frame.card, self.looks
        room = frame.width - size.TEXT - size.TEXT_RIGHT
        tile_top = (size.HEAD - size.TILE) / 2
        yield (
            f'<rect x="{_n(size.TILE_LEFT)}" y="{_n(tile_top)}" width="{_n(size.TILE)}" '
            f'height="{_n(size.TILE)}" rx="10" fill="{looks.tint(card.tone)}"/>'
        )
        yield self.icon(card.icon, size.TILE_LEFT + 9, tile_top + 9, 18, looks.hues[card.tone])
        title = text.fit(card.title, size.TITLE, room, strong=True)
        yield self.words(title, size.TEXT, size.TITLE_BASE, size.TITLE, looks.ink, ' font-weight="600"')
        for at, line in enumerate(card.lines):
            base = size.LINE_BASE + at * size.LINE_STEP
            yield self.words(text.fit(line, size.LINE, room), size.TEXT, base, size.LINE, looks.quiet)
        if card.stops:
            yield f'<path d="M{_n(size.TILE_LEFT)} {_n(frame.stops)}H{_n(frame.width - 14)}" stroke="{looks.rim}"/>'
        for at, stop in enumerate(card.stops):
            base = frame.stops + 21 + at * size.LINE_STEP
            yield self.icon("stop", size.TILE_LEFT + 12, base - 10, 12, looks.quiet)
            yield self.words(text.fit(stop, size.CHIP, room), size.TEXT, base, size.CHIP, looks.quiet)

    def exits(self, number: int) -> Iterator[str]:
        """Chips, ports, and the ends of journeys."""
        frame, looks = self.framed[number], self.looks
        named = bool(frame.chip)
        for slot, port in enumerate(self.layout.slots[number]):
            chip = frame.card.chips[port]
            x = frame.width / 2 + frame.ports[slot]
            colour = looks.bad if chip.red else looks.line
            if named:
                top = frame.height - size.CHIP_HEIGHT - size.CHIP_FOOT
                ground = mix(looks.bad, looks.panel, 0.08) if chip.red else looks.ground
                yield (
                    f'<rect x="{_n(x - frame.chip / 2)}" y="{_n(top)}" width="{_n(frame.chip)}" '
                    f'height="{_n(size.CHIP_HEIGHT)}" rx="7" fill="{ground}"/>'
                )
                label = text.fit(chip.label, size.CHIP, frame.chip - 2 * size.CHIP_INNER, strong=True)
                ink = looks.bad if chip.red else looks.quiet
                yield self.words(label, x, top + 16, size.CHIP, ink, ' font-weight="500" text-anchor="middle"')
            if chip.to is None:
                top = frame.height + size.END_DROP
                yield f'<path d="M{_n(x)} {_n(frame.height)}V{_n(top)}" fill="none" {self.stroke(chip)}/>'
                yield (
                    f'<rect x="{_n(x - size.END_WIDTH / 2)}" y="{_n(top)}" width="{_n(size.END_WIDTH)}" '
                    f'height="{_n(size.END_HEIGHT)}" rx="9.5" fill="{looks.panel}" stroke="{looks.rim}"/>'
                )
                yield self.words("ends", x, top + 13, size.END, looks.quiet, ' text-anchor="middle"')
            yield (
                f'<circle cx="{_n(x)}" cy="{_n(frame.height)}" r="3.5" fill="{looks.panel}" '
                f'stroke="{colour}" stroke-width="1.5"/>'
            )

    def words(self, said: str, x: float, y: float, font: float, colour: str, more: str = "") -> str:
        return f'<text x="{_n(x)}" y="{_n(y)}" font-size="{_n(font)}" fill="{colour}"{more}>{escape(said)}</text>'

    def icon(self, name: str, x: float, y: float, across: float, colour: str) -> str:
        return (
            f'<path transform="translate({_n(x)} {_n(y)}) scale({_n(across / 24)})" d="{ICONS[name]}" fill="none" '
            f'stroke="{colour}" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/>'
        )


def _sign(value: float) -> float:
    return float((value > 0.01) - (value < -0.01))


def _path(points: Sequence[Point]) -> str:
    """A way with rounded corners, ending just inside its arrow."""
    *_, before, tip = points
    end = tip[0] - _sign(tip[0] - before[0]) * ARROW / 2, tip[1] - _sign(tip[1] - before[1]) * ARROW / 2
    stops = [*points[:-1], end]
    drawn = f"M{_n(stops[0][0])} {_n(stops[0][1])}"
    for (a, corner), (_, b) in pairwise(pairwise(stops)):
        into, out = _reach(a, corner), _reach(corner, b)
        bend = min(BEND, into / 2, out / 2)
        start = corner[0] - _sign(corner[0] - a[0]) * bend, corner[1] - _sign(corner[1] - a[1]) * bend
        stop = corner[0] + _sign(b[0] - corner[0]) * bend, corner[1] + _sign(b[1] - corner[1]) * bend
        drawn += f"L{_n(start[0])} {_n(start[1])}Q{_n(corner[0])} {_n(corner[1])} {_n(stop[0])} {_n(stop[1])}"
    return drawn + f"L{_n(end[0])} {_n(end[1])}"


def _reach(a: Point, b: Point) -> float:
    return abs(b[0] - a[0]) + abs(b[1] - a[1])
