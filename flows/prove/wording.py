"""Sentences that several proofs say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tactful.flows.problem import quoted
from tactful.flows.prove.ways import Way

COUNTED = (
    "every exit may be taken, whatever conditions say",
    "a day is 24 hours, also where the clocks change",
    "messages go out at once: one that is held takes longer, and comes nearer to the next",
)
"""What all figures rest on."""

_SHOWN = 6


def messages(count: int) -> str:
    """`1 message`, `3 messages`."""
    return f"{count:,} message{'' if count == 1 else 's'}"


def of_channels(counts: Mapping[str, int | None], none: str = "unbounded") -> str:
    """What of a figure falls to each channel, to be put behind it: `: email 2, sms 1`; "" where there are none."""
    shown = (f"{channel} {none if count is None else format(count, ',')}" for channel, count in counts.items())
    return f": {', '.join(shown)}" if counts else ""


def round_of(path: Sequence[Way], again_from: int | None) -> str:
    """`round `a` → `b` → `a``: the elements of a path from a place in it that its last way leads back to."""
    names = [way.element for way in path[again_from or 0 :]]
    shown = [quoted(name) for name in names]
    if len(shown) > _SHOWN:
        shown = [*shown[: _SHOWN - 1], "…"]
    return f"round {' → '.join([*shown, quoted(names[0])])}"


def after(ms: int) -> str:
    """`after 9 days 2 hours`: a length of time in words, its two largest units; `at once` for none."""
    parts = []
    rest = ms // 1000
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        number, rest = divmod(rest, size)
        if number:
            parts.append(f"{number:,} {unit}{'' if number == 1 else 's'}")
    return f"after {' '.join(parts[:2])}" if parts else "at once"
