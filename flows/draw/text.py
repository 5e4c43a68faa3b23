"""Text in pictures: how wide it is at most, how it is cut to fit, and what of it may be shown at all.

Nobody knows which font a viewer has. So widths are upper bounds over the fonts a sans-serif text ends up
in (Inter, DejaVu Sans; Helvetica, Arial and Segoe UI are narrower): text may come out shorter than said
here, never longer.
"""

# ruff: noqa: RUF001 - characters that look like others are measured as well

from __future__ import annotations

import unicodedata
from functools import lru_cache

# Advance widths in thousandths of the font size, the larger of Inter's and DejaVu's.
_REGULAR = {
    275: "'", 300: "Iijlłı", 325: " ,.·‘’", 350: ":;|", 375: "/\\f", 400: "()[]t", 425: "!r", 475: '"-',
    500: "*_`–", 525: "s“”", 550: "?Jz", 575: "Lc", 600: "Fkvxy•", 625: "aeoøð",
    650: "$0123456789EPSTbdghnpqu{}£ßđþ", 675: "KY€", 700: "ABRVXZ", 750: "CU", 775: "DGHN", 800: "&OQ",
    825: "w", 850: "#+<=>^~≥≤≠✓", 900: "M", 975: "%m→", 1000: "@W…—æ", 1025: "œ",
}  # fmt: skip
_STRONG = {
    325: "'", 350: " ijlı", 375: "I|ł", 400: ",./:;\\·‘’", 450: "f", 475: "!()-[]", 500: "_`rt–", 525: '"',
    550: "*", 575: "J", 600: "?csz", 650: "Lx•", 675: "akvy“”", 700: "$0123456789EFTeo€£øð",
    725: "SYbdghnpqu{}ßđþ", 750: "CPZ", 775: "ABKRVX", 825: "GU", 850: "#+<=>DHN^~≥≤≠✓", 875: "&OQ",
    925: "w", 975: "→", 1000: "@M…—", 1050: "%mæ", 1125: "Wœ",
}  # fmt: skip
_WIDTHS = {
    False: {character: width for width, several in _REGULAR.items() for character in several},
    True: {character: width for width, several in _STRONG.items() for character in several},
}

# Characters that turn the text around them: harmless in a paragraph, misleading in a one-line label.
_TURNING = frozenset(map(chr, (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))))

ELLIPSIS = "…"


def plain(text: str) -> str:
    """The text on one line, without what XML forbids (controls, lone surrogates) or what reorders text.

    Runs of white space become one space. The result may be put into any format once escaped for it.
    """
    kept = (
        " " if character.isspace() else character
        for character in text
        if character.isspace() or not (_hidden(character) or character in _TURNING)
    )
    return " ".join("".join(kept).split())


def _hidden(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs") or ord(character) & 0xFFFE == 0xFFFE


def readable(name: str) -> str:
    """An id or an exit as words: `not_opened` is `Not opened`."""
    words = plain(name.replace("_", " "))
    return words[:1].upper() + words[1:]


@lru_cache(maxsize=4096)
def _em(character: str, strong: bool) -> int:
    known = _WIDTHS[strong].get(character)
    if known is not None:
        return known
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0  # drawn onto the character before it, or not at all
    base = unicodedata.normalize("NFD", character)[0]
    if base != character and base in _WIDTHS[strong]:
        # An accent may hang over a narrow letter; over others it adds nothing.
        return _WIDTHS[strong][base] + (175 if base in "Iijltd" else 25)
    if unicodedata.east_asian_width(character) in ("W", "F"):
        return 1300 if unicodedata.category(character) == "So" else 1050  # emoji are wider than an em
    if unicodedata.name(character, "").startswith(("GREEK SMALL", "CYRILLIC SMALL")):
        return 850 if strong else 750
    return 1150 if strong else 1000


def width(text: str, size: float, *, strong: bool = False) -> float:
    """At most how many pixels a line of text takes, at a font size in pixels; `strong` is semi-bold."""
    return sum(_em(character, strong) for character in text) * size / 1000


def fit(text: str, size: float, room: float, *, strong: bool = False) -> str:
    """The text if it fits into `room` pixels, else as much of it as does, with an ellipsis.

    Never cuts between a character and the accents or joiners that belong to it. The empty text where
    not even the ellipsis fits.
    """
    if width(text, size, strong=strong) <= room:
        return text
    left = room - width(ELLIPSIS, size, strong=strong)
    if left < 0:
        return ""
    cut = 0
    for character in text:
        left -= _em(character, strong) * size / 1000
        if left < 0:
            break
        cut += 1
    while 0 < cut < len(text) and (_em(text[cut], strong) == 0 or text[cut - 1] == "\u200d"):
        cut -= 1
    return text[:cut].rstrip(" ,;:") + ELLIPSIS


def wrap(text: str, size: float, room: float, lines: int) -> tuple[str, ...]:
    """The text broken at spaces into at most `lines` lines of `room` pixels, the last with an ellipsis if need be."""
    found: list[str] = []
    rest = text.split()
    while rest and len(found) < lines - 1:
        taken = 1
        while taken < len(rest) and width(" ".join(rest[: taken + 1]), size) <= room:
            taken += 1
        found.append(fit(" ".join(rest[:taken]), size, room))
        rest = rest[taken:]
    if rest:
        found.append(fit(" ".join(rest), size, room))
    return tuple(found)
