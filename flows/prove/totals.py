"""The most messages a contact can get from one journey, from its beginning to its end."""

from __future__ import annotations

from collections.abc import Mapping

from tactful.flows.model import Flow
from tactful.flows.prove.proof import Proof
from tactful.flows.prove.walk import numbered, stops
from tactful.flows.prove.ways import Way, Ways
from tactful.flows.prove.wording import COUNTED, messages, of_channels, round_of


def prove_total(ways: Ways) -> Proof:
    """No journey sends more than so many messages in all."""
    if not ways.channels:
        return Proof("all", "holds", "No message is sent.", {"all": 0})
    every = frozenset(ways.channels)
    most = {channel: _most(ways, frozenset({channel})) for channel in ways.channels} if len(every) > 1 else {}
    count, path, again_from = _most(ways, every)
    counts = {channel: found[0] for channel, found in most.items()}
    figures: Mapping[str, int | None] = {
        "all": count,
        **{f"all_{channel}": number for channel, number in counts.items()},
    }
    shown = stops(ways, path, numbered(path, every))
    again = _again(ways.flow)
    if count is None:
        goes = f"A journey may go {round_of(path, again_from)} and send again"
        says = f"There is no most in all{of_channels(counts)}. {goes}. {again}"
        return Proof("all", "fails", says, figures, shown, again_from, COUNTED)
    says = f"In all, a journey sends {messages(count)} at most{of_channels(counts)}. {again}"
    return Proof("all", "holds", says, figures, shown, None, COUNTED)


def _again(flow: Flow) -> str:
    """What the figures of one journey mean for a contact."""
    if flow.again == "never":
        return "A contact is in this flow once (`again: never`)."
    if flow.again == "always":
        return "Each journey counts by itself: a contact may be in several at once (`again: always`)."
    return f"Each journey counts by itself: a contact may come in again after {flow.again} (`again`)."


def _most(ways: Ways, channels: frozenset[str]) -> tuple[int | None, list[Way], int | None]:
    """The most messages on some channels, None where there is no most; the path, and where in it the round begins."""
    for knot in ways.knots:
        for name in sorted(knot):
            for way in ways.out(name):
                if way.channel in channels and way.target in knot:
                    there = ways.to_element(name)
                    return None, [*there, *ways.round_from(name, knot, way)], len(there)
    # From the end backwards: each knot has the most that may follow, and the way out of it that leads to that.
    follow: dict[str, tuple[int, Way | None]] = {}
    for knot in reversed(ways.knots):
        best: tuple[int, Way | None] = (0, None)
        for name in sorted(knot):
            for way in ways.out(name):
                if way.target not in knot:
                    beyond, _ = follow.get(way.target, (0, None))
                    number = beyond + (way.channel in channels)
                    if number > best[0] or best[1] is None:
                        best = (number, way)
        follow.update(dict.fromkeys(knot, best))
    path: list[Way] = []
    here = ways.start
    while here in follow and follow[here][0] > 0:
        _, onward = follow[here]
        assert onward is not None, "messages follow somewhere"
        path += [*ways.to_element(onward.element, here), onward]
        here = onward.target
    return follow[ways.start][0], path, None
