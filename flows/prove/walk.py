"""A path as it is shown: its elements, the exits taken, and the time that passes on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tactful.flows.prove.passing import Mark
from tactful.flows.prove.proof import Stop
from tactful.flows.prove.ways import SENT, Way, Ways

NO_NOTES: Mapping[int, str] = {}


def stops(
    ways: Ways, path: Sequence[Way], notes: Mapping[int, str] = NO_NOTES, *, late: bool = False
) -> tuple[Stop, ...]:
    """A path with its times: everything as soon as it may be, or as `late`. `notes` are by place in the path."""
    now, sent_at = 0, dict[str, int]()
    mark: Mark | None = None
    mark_at = 0
    shown = []
    for number, way in enumerate(path):
        how = way.passing
        longer = (how.most or 0) if late else how.least
        newest = max((sent_at[send] for send in how.sends if send in sent_at), default=None)
        if how.mark is not None:
            if not late:
                now = now if mark is None else max(now, mark_at + how.mark.soonest_after(mark))
            else:
                now += how.mark.latest_after(mark) if mark is not None and mark_at == now else how.mark.longest
            mark, mark_at = how.mark, now
        elif newest is not None:
            now = max(now, newest + longer)
        elif not how.sends:
            now += longer
        if ways.element(way.element).sends is not None:
            sent_at.pop(way.element, None)
            if way.exit == SENT:
                sent_at[way.element] = now
        shown.append(Stop(way.element, way.exit, now, notes.get(number, "")))
    return tuple(shown)


def numbered(path: Sequence[Way], channels: frozenset[str]) -> dict[int, str]:
    """Notes that count the messages of a path."""
    sent = [number for number, way in enumerate(path) if way.channel in channels]
    return {number: f"message {count}" for count, number in enumerate(sent, 1)}
