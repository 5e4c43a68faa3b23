"""Whether a journey may come to a send whose channel was blocked before on the same way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tactful.elements.contract import END
from tactful.elements.options.channel import CHANNELS
from tactful.elements.wait_for_event import WaitForEvent
from tactful.flows.blocks import Block, added, lifted, sender_named, stopping
from tactful.flows.problem import quoted
from tactful.flows.prove.proof import Proof
from tactful.flows.prove.walk import stops
from tactful.flows.prove.ways import SUPPRESSED, Way, Ways, route

OPTED_OUT, HAPPENED = "opted_out", "happened"


@dataclass(frozen=True, slots=True)
class _Change:
    """What leaving an element by an exit does to the list. `perhaps` are blocks it may have taken off: of whoever
    opted out by themselves it cannot be known which entry that made."""

    adds: frozenset[tuple[Block, bool]] = frozenset()
    lifts: frozenset[Block] = frozenset()
    perhaps: frozenset[str] = frozenset()


def prove_blocked(ways: Ways) -> Proof:
    """No path sends on a channel after blocking it: by an element, or since the contact opted out of a message."""
    stopped_by = {
        name: stopping(ways.element(name), channel, ways.flow.settings)
        for name in ways.elements
        if (channel := ways.element(name).sends) is not None
    }
    changes = {(name, way.exit): _change(ways, way) for name in ways.elements for way in ways.out(name)}
    blocks = dict.fromkeys(each for change in changes.values() for each in sorted(change.adds, key=str))
    matters = [each for each in blocks if any(each[0] in stops for stops in stopped_by.values())]
    for sure in (True, False):
        found = [path for block in matters if (path := _send_after(ways, block, changes, stopped_by, sure)) is not None]
        if found:
            return _proof(ways, min(found, key=lambda each: len(each[0])), sure)
    if not blocks:
        return Proof("blocked", "holds", "No path blocks a channel.")
    says = "No path sends on a channel after blocking it." if matters else "What is blocked, no path sends on."
    return Proof("blocked", "holds", says)


def _proof(ways: Ways, found: tuple[list[Way], int], sure: bool) -> Proof:
    path, at = found
    blocker, send = quoted(path[at].element), quoted(path[-1].element)
    if isinstance(ways.element(path[at].element), WaitForEvent):
        who, note = f"who opted out at {blocker}", "here they opted out"
    else:
        who, note = f"whom {blocker} put on the Do Not Contact list", "blocks them"
    shown = stops(ways, path, {at: note, len(path) - 1: "reaches nobody" if sure else "reaches somebody?"})
    if sure:
        return Proof("blocked", "fails", f"{send} can reach nobody {who}.", path=shown)
    says = f"Whether {send} can reach anybody {who} cannot be known: it is not sure what is taken off again."
    return Proof("blocked", "unknown", says, path=shown)


def _change(ways: Ways, way: Way) -> _Change:
    element, settings = ways.element(way.element), ways.flow.settings
    channels = frozenset(CHANNELS) | frozenset(ways.channels)
    lifts = lifted(element, channels, settings)
    adds = {(block, True) for block in added(element, channels, settings)}
    if isinstance(element, WaitForEvent) and element.event == OPTED_OUT and way.exit == HAPPENED:
        for send in element.message or _sends_before(ways, way.element):
            of = ways.element(send)
            if of.sends is not None:
                adds.add((Block(of.sends, sender_named(of, of.sends, settings), "everything"), False))
    return _Change(frozenset(adds), lifts, frozenset(block.channel for block in lifts))


def _sends_before(ways: Ways, name: str) -> list[str]:
    """The sends a journey may have passed when it comes to an element."""
    sends = [each for each in ways.elements if ways.element(each).sends is not None]
    return [send for send in sends if ways.to(lambda way: way.target == name, send)]


_Stage = tuple[str, bool]
"""An element, and whether the block is in force when a journey comes there."""


def _send_after(
    ways: Ways,
    added_block: tuple[Block, bool],
    changes: Mapping[tuple[str, str], _Change],
    stopped_by: Mapping[str, frozenset[Block]],
    sure: bool,
) -> tuple[list[Way], int] | None:
    """The shortest path to a send that a block stops, and where in it the block was made. `sure` counts on a block
    only where nothing may have taken it off."""
    block, by_element = added_block

    def leads(stage: _Stage) -> Iterator[tuple[Way, _Stage]]:
        name, blocked = stage
        for way in ways.out(name) if name != END else ():
            change = changes[name, way.exit]
            off = block in change.lifts if by_element else sure and block.channel in change.perhaps
            yield way, (way.target, added_block in change.adds or (blocked and not off))

    def stopped(_: Way, stage: _Stage) -> bool:
        return stage[1] and block in stopped_by.get(stage[0], frozenset())

    found = route([(ways.start, False)], leads, stopped)
    if found is None:
        return None
    path = found[1]
    at = max(number for number, way in enumerate(path) if added_block in changes[way.element, way.exit].adds)
    send = path[-1].target
    out = ways.out(send)
    return [*path, next((way for way in out if way.exit == SUPPRESSED), out[0])], at
