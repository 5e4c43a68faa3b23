"""Colours and icons of pictures. Colours keep to WCAG AA: 4.5 to 1 for text, 3 to 1 for lines and icons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

FONT = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif"


@dataclass(frozen=True, slots=True)
class Looks:
    """The colours of one theme, as `#rrggbb`. `hues` has one for every tone of a card."""

    ground: str
    panel: str
    ink: str
    quiet: str
    rim: str
    shade: str
    line: str
    bad: str
    hues: Mapping[str, str]

    def tint(self, tone: str) -> str:
        """A tone as a ground for its icon: 13 % of it in the panel's colour."""
        return mix(self.hues[tone], self.panel, 0.13)


def mix(colour: str, ground: str, share: float) -> str:
    """A colour laid over another, `share` of it (0 to 1)."""
    pairs = ((int(colour[at : at + 2], 16), int(ground[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(over * share + under * (1 - share)):02x}" for over, under in pairs)


LIGHT = Looks(
    ground="#f6f6f3", panel="#ffffff", ink="#1c1d22", quiet="#5d6070", rim="#e0e0d9", shade="#e9e9e4",
    line="#858999", bad="#c8322b",
    hues=MappingProxyType({
        "start": "#1b7f52", "talk": "#3c4fe0", "wait": "#a8690a", "decide": "#8a3fc7", "act": "#0d7a8a",
        "do_not_contact": "#cf3f63", "finish": "#596070",
    }),
)  # fmt: skip
DARK = Looks(
    ground="#14151a", panel="#1d1f26", ink="#eceef4", quiet="#a7abba", rim="#2c2f3a", shade="#0d0e12",
    line="#6d7287", bad="#ff7a70",
    hues=MappingProxyType({
        "start": "#4ecb94", "talk": "#8b9aff", "wait": "#e8ac4d", "decide": "#c48df5", "act": "#4fc3d4",
        "do_not_contact": "#ff7f9d", "finish": "#a3a9ba",
    }),
)  # fmt: skip

# Lines of 2 on a square of 24.
ICONS: Mapping[str, str] = MappingProxyType({
    "bell": "M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 1.5h-15zM10 21h4",
    "calendar": "M4 6h16v14H4zM4 10.5h16M8.5 3.5V7M15.5 3.5V7",
    "ban": "M12 3.5a8.5 8.5 0 1 0 0 17a8.5 8.5 0 1 0 0-17M6.2 6.2l11.6 11.6",
    "bolt": "M13.5 2.5 5 13.5h6.5l-1 8 8.5-11h-6.5z",
    "branch": "M12 21v-7M12 14 5 7V4M12 14l7-7V4M2.5 6.5 5 4l2.5 2.5M16.5 6.5 19 4l2.5 2.5",
    "chat": "M4 4.5h16v11.5h-8.5L7 20.5V16H4z",
    "check": "M12 3.5a8.5 8.5 0 1 0 0 17a8.5 8.5 0 1 0 0-17M8 12.2l2.8 2.8L16 9.5",
    "clock": "M12 3.5a8.5 8.5 0 1 0 0 17a8.5 8.5 0 1 0 0-17M12 7.5V12l3 2",
    "cog": "M12 8.5a3.5 3.5 0 1 0 0 7a3.5 3.5 0 1 0 0-7M12 3v2.5M12 18.5V21M3 12h2.5M18.5 12H21"
           "M5.6 5.6l1.8 1.8M16.6 16.6l1.8 1.8M18.4 5.6l-1.8 1.8M7.4 16.6l-1.8 1.8",
    "flag": "M5.5 21V4h13l-3 4.5 3 4.5h-13",
    "flask": "M9 3.5h6M10 3.5v6L4.8 18.4A1.4 1.4 0 0 0 6 20.5h12a1.4 1.4 0 0 0 1.2-2.1L14 9.5v-6M7.6 15h8.8",
    "hourglass": "M6 3.5h12M6 20.5h12M7.5 3.5c0 5 4.5 5.5 4.5 8.5s-4.5 3.5-4.5 8.5"
                 "M16.5 3.5c0 5-4.5 5.5-4.5 8.5s4.5 3.5 4.5 8.5",
    "mail": "M3.5 5.5h17v13h-17zM4 6.5l8 6.5 8-6.5",
    "pencil": "M4 20l1-4.5L15.8 4.7a1.8 1.8 0 0 1 2.5 0l1 1a1.8 1.8 0 0 1 0 2.5L8.5 19zM13.5 7l3.5 3.5",
    "people": "M9 4.5a3.5 3.5 0 1 0 0 7a3.5 3.5 0 1 0 0-7M2.8 19.5c.5-3.5 3-5 6.2-5s5.7 1.5 6.2 5M15.5 5"
              "a3.3 3.3 0 0 1 0 6.2M17.8 14.8c2 .6 3.2 2.2 3.5 4.7",
    "phone": "M7.5 3h9v18h-9zM11 17.8h2",
    "play": "M8 5v14l11-7z",
    "reply": "M9.5 5 4 10.5 9.5 16M4 10.5h9.5a6 6 0 0 1 6 6V19",
    "stop": "M8.5 3.5h7l5 5v7l-5 5h-7l-5-5v-7z",
    "watch": "M2.8 12C5 8 8.2 6 12 6s7 2 9.2 6c-2.2 4-5.4 6-9.2 6s-7-2-9.2-6zM12 9.3a2.7 2.7 0 1 0 0 5.4"
             "a2.7 2.7 0 1 0 0-5.4",
})  # fmt: skip
