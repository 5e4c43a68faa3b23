"""Sentences that several proofs say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tactful.flows.problem import quoted
from tactful.flows.prove.ways import Way

A_DAY = "a day is 24 hours, also where the clocks change"
HELD = "messages go out at once: one that is held goes out later, and may come nearer to the next"
NOT_HELD = "messages go out at once: quiet hours, limits and people who read an answer first may hold them"
EVERY_EXIT = "every exit may be taken, whatever the conditions say"

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


def of_time(ms: int) -> str:
    """`9 days 2 hours`, `30 minutes`: a length of time in words, its two largest units; `at once` for none."""
    parts = []
    rest = ms // 1000
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        number, rest = divmod(rest, size)
        if number:
            parts.append(f"{number:,} {unit}{'' if number == 1 else 's'}")
    return " ".join(parts[:2]) or "at once"
