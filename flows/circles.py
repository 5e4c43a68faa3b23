"""Circles in which no time passes: a journey could go round in them for ever in one moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING

from tactful.flows.draft import NOT_SENT
from tactful.flows.graph import HasExits, circle_through, circles, knotted

if TYPE_CHECKING:
    from tactful.flows.graph import Digraph

_SENT = "sent"


def timeless_circles(
    nodes: Mapping[str, HasExits],
    graph: Digraph,
    quick: Set[str],
    waits: Mapping[str, Sequence[str]],
    step: Callable[[int], bool],
) -> list[list[str]]:
    """The circles in which no time passes on some round, each beginning with its first element in the file.

    `quick` are the elements that need not let time pass, `waits` those that wait for messages, with the sends they
    name. Such a wait lets time pass on a circle that passes the send as well: each round has a message of its own to
    wait for. On any other circle its time is over after the first round. `step` says whether a search may go so many
    steps further; one that may not leaves its circle out.
    """
    message_waits = quick & waits.keys()
    awaited = {send for name in message_waits for send in waits[name]}
    found = circles(graph, quick - message_waits)
    if message_waits:
        found += circles(graph, quick - awaited)
        for name in sorted(message_waits & knotted(graph)):
            if step(len(quick)):
                alone = (quick - message_waits - set(waits[name])) | {name}
                found += filter(None, [circle_through(graph, alone, name)])
            found += _unsent_circle(nodes, name, waits[name], quick - message_waits, step)
    order = {name: number for number, name in enumerate(nodes)}
    circle_of = {frozenset(circle): _turned(circle, order) for circle in reversed(found)}
    return list(reversed(circle_of.values()))


def _turned(circle: list[str], order: Mapping[str, int]) -> list[str]:
    at = circle.index(min(circle, key=order.__getitem__))
    return circle[at:] + circle[:at]


def _unsent_circle(
    nodes: Mapping[str, HasExits], begin: str, sends: Sequence[str], quick: Set[str], step: Callable[[int], bool]
) -> Iterator[list[str]]:
    """The circle from a wait by `not_sent` back to it, while its messages fail again and again."""
    first = nodes[begin].exits.get(NOT_SENT)
    if first is None or first not in nodes:
        return
    came_from = {first: begin}
    waiting = [first]
    while waiting:
        name = waiting.pop()
        if name == begin:
            circle = [begin]
            while came_from[circle[-1]] != begin:
                circle.append(came_from[circle[-1]])
            yield circle[::-1]
            return
        if name not in quick:
            continue
        for way_out, target in nodes[name].exits.items():
            passes = not (name in sends and way_out == _SENT)
            if passes and target in nodes and target not in came_from and step(1):
                came_from[target] = name
                waiting.append(target)
