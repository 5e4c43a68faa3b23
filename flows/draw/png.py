"""A drawn flow as PNG, rendered by resvg. Needs the extra `png`.

Latin, Greek and Cyrillic letters come from the font in `fonts/` (Inter, see OFL.txt there), so that pictures
look the same everywhere, also on machines without any font. Other scripts take the fonts the machine has.
"""

from __future__ import annotations

from importlib.resources import as_file, files

_SHARP = 2.0  # pixels of the picture to one of the SVG
_MOST = 48_000_000  # pixels in all: very large flows are drawn less sharp instead of filling the memory

# What the bundled font covers, first and last characters.
_COVERED = (
    (0x0A, 0x0A), (0x20, 0x7E), (0xA0, 0x17F), (0x218, 0x21B), (0x370, 0x3CE), (0x400, 0x45F), (0x490, 0x491),
    (0x1E80, 0x1E85), (0x1EA0, 0x1EF9), (0x2010, 0x2027), (0x2030, 0x203A), (0x20AC, 0x20AC), (0x2116, 0x2116),
    (0x2122, 0x2122), (0x2190, 0x2193), (0x2212, 0x2212), (0x2260, 0x2260), (0x2264, 0x2265),
)  # fmt: skip


class PngUnavailable(Exception):
    """What renders PNG is not installed; the message says how to get it."""


def to_png(svg: str, width: float, height: float) -> bytes:
    """An SVG document of this size as PNG, twice as many pixels each way where that is not too many.

    Raises PngUnavailable where resvg is not installed.
    """
    try:
        from resvg_py import svg_to_bytes
    except ImportError as missing:
        raise PngUnavailable(
            "drawing PNG needs resvg: pip install 'tactful[png]' (drawing .svg needs nothing)"
        ) from missing
    with as_file(files("tactful.flows.draw") / "fonts") as folder:
        return bytes(
            svg_to_bytes(
                svg_string=svg,
                zoom=min(_SHARP, (_MOST / (width * height)) ** 0.5),
                font_files=[str(file) for file in sorted(folder.glob("*.otf"))],
                font_family="Inter",
                sans_serif_family="Inter",
                skip_system_fonts=all(map(_covered, set(svg))),
            )
        )


def _covered(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in _COVERED)
