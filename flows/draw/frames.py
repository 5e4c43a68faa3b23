"""How big a card is, and where on it things stand. All sizes are pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from tactful.flows.draw import text
from tactful.flows.draw.cards import Card
from tactful.flows.draw.sheet import Box

NARROW, WIDE, ENTRY_WIDE = 252, 320, 400
TITLE, LINE, CHIP, END = 14.0, 12.5, 11.5, 10.5  # font sizes
TEXT = 62.0  # where text begins; the icon stands left of it
TEXT_RIGHT = 16.0
TILE = 36.0
TILE_LEFT = 14.0
TITLE_BASE = 31.0
LINE_BASE = 49.5
LINE_STEP = 18.0
HEAD = 66.0  # a card with a title and a line
CHIP_HEIGHT = 24.0
CHIP_GAP = 6.0
CHIP_SIDE = 8.0  # left of the first chip and right of the last
CHIP_FOOT = 10.0
CHIP_INNER = 9.0
CHIP_LEAST, CHIP_MOST = 56.0, 150.0
END_DROP = 13.0  # from a card to the pill that ends a journey
END_HEIGHT = 19.0
END_WIDTH = 42.0


@dataclass(frozen=True, slots=True)
class Frame:
    """A card with its size. `chip` is the width of one of its chips, 0 where it shows none; `ports` are the
    offsets of its slots from its middle; `stops` is where the stop rules begin, below the rest."""

    card: Card
    width: float
    height: float
    chip: float
    ports: tuple[float, ...]
    stops: float

    @property
    def box(self) -> Box:
        """What the layout needs to know of it."""
        ends = any(chip.to is None for chip in self.card.chips)
        return Box(self.width, self.height, self.ports, END_DROP + END_HEIGHT if ends else 0.0)


def frames(cards: Sequence[Card]) -> list[Frame]:
    """A frame for each card. Elements' cards are as wide as the widest of them needs, within limits, and
    wider only for more exits: equal widths make straight columns."""
    wanted = [max(_text_width(card), _chips_width(card)) for card in cards]
    shared = _even(max([NARROW, *(min(width, WIDE) for width in wanted[1:])]))
    found = []
    for number, card in enumerate(cards):
        width: float = shared
        if number == 0:
            width = _even(min(max(wanted[0], NARROW), ENTRY_WIDE))
        found.append(_frame(card, width))
    return found


def _even(width: float) -> float:
    return ceil(width / 4) * 4


def _text_width(card: Card) -> float:
    lines = [text.width(card.title, TITLE, strong=True), *(text.width(line, LINE) for line in card.lines)]
    lines += [text.width(stop, CHIP) for stop in card.stops]
    return TEXT + max(lines) + TEXT_RIGHT


def _frame(card: Card, width: float) -> Frame:
    count = len(card.named)
    height = HEAD + LINE_STEP * max(len(card.lines) - 1, 0)
    stops = height
    if card.stops:
        height += 20 + LINE_STEP * len(card.stops)
    if not count:
        return Frame(card, width, height, 0.0, (0.0,) * len(card.chips), stops)
    around = 2 * CHIP_SIDE + (count - 1) * CHIP_GAP
    width = max(width, _chips_width(card))
    chip = (width - around) / count
    ports = tuple(CHIP_SIDE + at * (chip + CHIP_GAP) + chip / 2 - width / 2 for at in range(count))
    return Frame(card, width, height + CHIP_HEIGHT + CHIP_FOOT, chip, ports, stops)


def _chips_width(card: Card) -> float:
    """How wide a card must be for its chips, which are all equally wide."""
    if not card.named:
        return 0.0
    label = max(text.width(chip.label, CHIP, strong=True) for chip in card.named) + 2 * CHIP_INNER
    chip = ceil(min(max(label, CHIP_LEAST), CHIP_MOST))
    return 2 * CHIP_SIDE + len(card.named) * (chip + CHIP_GAP) - CHIP_GAP
