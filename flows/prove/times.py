"""The shortest and the longest time a journey takes."""

from __future__ import annotations

from operator import itemgetter

from tactful.elements.contract import END
from tactful.flows.problem import quoted
from tactful.flows.prove.passing import Mark
from tactful.flows.prove.proof import Proof, Stop
from tactful.flows.prove.soonest import Soonest, soonest
from tactful.flows.prove.walk import stops
from tactful.flows.prove.ways import SENT, Way, Ways
from tactful.flows.prove.wording import COUNTED, after, round_of


def prove_time(ways: Ways) -> Proof:
    """Every journey is over after so long."""
    least = soonest(ways, _shortest)
    figures = {"shortest_ms": least, "longest_ms": None}
    ends = "None ends by itself." if least is None else f"At the soonest, one ends {after(least)}."
    if ways.loops:
        knot = ways.loops[0]
        first = next(name for name in ways.elements if name in knot)
        there = ways.to_element(first)
        path = [*there, *ways.round_from(first, knot)]
        says = f"There is no longest time: a journey may go {round_of(path, len(there))}. {ends}"
        return Proof("time", "fails", says, figures, stops(ways, path), len(there), COUNTED)
    endless = ways.to(lambda way: way.passing.most is None and way.passing.unknown is None)
    if endless:
        waits = endless[-1]
        says = f"There is no longest time: {quoted(waits.element)} waits for ever. {ends}"
        before = stops(ways, endless[:-1])
        stays = Stop(waits.element, None, before[-1].at if before else 0, "waits for ever")
        return Proof("time", "fails", says, figures, (*before, stays), None, COUNTED)
    unknown = ways.to(lambda way: way.passing.unknown is not None)
    if unknown:
        way = unknown[-1]
        says = f"How long it takes cannot be known: {quoted(way.element)} {way.passing.unknown}. {ends}"
        return Proof("time", "unknown", says, figures, stops(ways, unknown), None, COUNTED)
    most, path = _longest(ways)
    says = f"Every journey has ended {after(most)} at the latest, {after(least or 0)} at the soonest."
    if most == 0:
        says = "Every journey ends at once."
    return Proof("time", "holds", says, {**figures, "longest_ms": most}, stops(ways, path, late=True), None, COUNTED)


def _shortest(search: Soonest) -> int | None:
    return min((passed.now for state, passed in search.least().items() if state.element == END), default=None)


_Stand = tuple[str, Mark | None]
"""An element, and the moment that was paused until, where no time has passed since."""


def _longest(ways: Ways) -> tuple[int, list[Way]]:
    """The most ms a journey takes in a flow without loops, and the path on which it does.

    Element by element, in the order of the ways: the latest time of arriving there. A wait for a message is over so
    long after the message was sent, or at once if that is past.
    """
    latest: dict[_Stand, int] = {(ways.start, None): 0}
    came: dict[_Stand, tuple[_Stand, Way]] = {}
    sent: dict[str, tuple[int, _Stand]] = {}
    stands: dict[str, list[_Stand]] = {ways.start: [(ways.start, None)]}
    for (name,) in ways.knots:
        for stand in stands.get(name, ()):
            for way in ways.out(name):
                how = way.passing
                assert how.most is not None
                mark, now = stand[1], latest[stand]
                begun = stand
                if how.mark is not None:
                    now += how.mark.latest_after(mark) if mark is not None else how.mark.longest
                elif how.sends:
                    newest = max((sent[send] for send in how.sends if send in sent), key=itemgetter(0), default=None)
                    if newest is not None and newest[0] + how.most > now:
                        now, begun = newest[0] + how.most, newest[1]
                else:
                    now += how.most
                target = (way.target, how.mark or (mark if how.most == 0 else None))
                if now > latest.get(target, -1):
                    if target not in latest:
                        stands.setdefault(way.target, []).append(target)
                    latest[target], came[target] = now, (begun, way)
                if way.exit == SENT and now >= sent.get(name, (0, stand))[0]:
                    sent[name] = (now, stand)
    at = max((stand for stand in latest if stand[0] == END), key=latest.__getitem__)
    return latest[at], _path(ways, at, came)


def _path(ways: Ways, at: _Stand, came: dict[_Stand, tuple[_Stand, Way]]) -> list[Way]:
    path: list[Way] = []
    while at in came:
        begun, way = came[at]
        if begun[0] != way.element:  # the time ran from a message: any way from there leads on
            sends = next(each for each in ways.out(begun[0]) if each.exit == SENT)
            between = ways.to_element(way.element, sends.target)
            path = [sends, *between, way, *path]
        else:
            path.insert(0, way)
        at = begun
    return path
