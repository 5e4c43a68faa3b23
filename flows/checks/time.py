"""Time that must pass, and time that is gone: circles without a wait, and pauses that eat up a wait."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from tactful.elements.options.duration import Duration
from tactful.elements.pause import Pause
from tactful.flows.checks.messages import MessageWait
from tactful.flows.checks.paths import SENT, FlowPaths
from tactful.flows.draft import NOT_SENT, DraftNode
from tactful.flows.graph import circle_through, circles
from tactful.flows.problem import listed, quoted


def check_circles(paths: FlowPaths, waits: list[MessageWait]) -> None:
    """No journey goes round in a circle without time passing on each round.

    A wait for a message lets time pass on a circle that passes the send as well: each round has a message of
    its own to wait for. On any other circle its time is over after the first round.
    """
    nodes = paths.draft.nodes
    by_id = {wait.node.id: wait for wait in waits if nodes[wait.node.id] is wait.node and wait.sends}
    quick = {name for name, node in nodes.items() if not _lets_time_pass(node)}
    message_waits = quick & by_id.keys()
    awaited = {send for name in message_waits for send in by_id[name].sends}
    found = circles(paths.graph, quick - message_waits)
    if message_waits:
        found += circles(paths.graph, quick - awaited)
        for name in message_waits & paths.on_circles:
            if paths.step(len(quick)):
                alone = (quick - message_waits - set(by_id[name].sends)) | {name}
                found += filter(None, [circle_through(paths.graph, alone, name)])
            found += _unsent_circle(paths, by_id[name], quick - message_waits)
    order = {name: number for number, name in enumerate(nodes)}
    told: set[frozenset[str]] = set()
    for circle in found:
        if frozenset(circle) in told:
            continue
        told.add(frozenset(circle))
        first = min(circle, key=order.__getitem__)
        turned = circle[circle.index(first) :] + circle[: circle.index(first)]
        _tell_circle(paths, turned)


def _lets_time_pass(node: DraftNode) -> bool:
    # An element that could not be read might have been a wait.
    return node.element is None or node.element.lets_time_pass()


def _tell_circle(paths: FlowPaths, circle: list[str]) -> None:
    shown = [quoted(name) for name in circle]
    if len(shown) > 8:
        shown = [*shown[:7], "…"]
    way = " → ".join([*shown, quoted(circle[0])])
    message = f"a journey may go round here without end, and no time passes: {way}"
    hint = "put a `pause` or a wait into the circle, or let it lead out"
    paths.draft.report.error(paths.draft.nodes[circle[0]].spot, "circle", message, hint)


def _unsent_circle(paths: FlowPaths, wait: MessageWait, quick: set[str]) -> Iterable[list[str]]:
    """The circle from a wait by `not_sent` back to it, while its messages fail again and again."""
    nodes, begin = paths.draft.nodes, wait.node.id
    first = wait.node.exits.get(NOT_SENT)
    if first is None or NOT_SENT not in wait.node.named:
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
            passes = not (name in wait.sends and way_out == SENT)
            if passes and target in nodes and target not in came_from and paths.step():
                came_from[target] = name
                waiting.append(target)


# --- Is there time left? -------------------------------------------------------------------------


def check_time_left(paths: FlowPaths, wait: MessageWait) -> None:
    """No pause between a send and the wait for its message takes the time the wait has: that runs from the
    sending. An error where nothing can be left of it, a warning where something is gone, or may be."""
    within = getattr(wait.element, "within", None)
    if not isinstance(within, Duration):
        return
    shortest, pause = _pauses_since_sent(paths, wait)
    if pause is None:
        return
    spot = wait.node.spot_of(("within",))
    since = f"the time runs from when {listed(wait.sends, 'or')} was sent"
    if shortest >= within.longest_ms:
        message = f"nothing is left of {quoted(within.text)}: {since}, and {quoted(pause)} takes as long"
        hint = "wait first and pause afterwards, or make `within` longer"
        paths.draft.report.error(spot, "pause-eats-wait", message, hint)
    else:
        message = f"{quoted(pause)} takes part of {quoted(within.text)}: {since}"
        hint = "wait first and pause afterwards, or make `within` longer by as much"
        paths.draft.report.warning(spot, "pause-shortens-wait", message, hint)


def _pauses_since_sent(paths: FlowPaths, wait: MessageWait) -> tuple[int, str | None]:
    """The least that pauses take between a send and the wait, in ms, and the last pause on a way between them.

    The shortest way backwards from the wait to a send, as long as its pauses are.
    """
    nodes = paths.draft.nodes
    least: int | None = None
    met: str | None = None
    heap = [(0, wait.node.id, "")]
    seen: set[tuple[str, bool]] = set()
    while heap:
        passed, name, pause = heapq.heappop(heap)
        if (name, bool(pause)) in seen:
            continue
        seen.add((name, bool(pause)))
        for source, way_out in paths.ways_into(name):
            if not paths.step():
                return 0, None
            if source in wait.sends and way_out == SENT:
                least = passed if least is None else min(least, passed)
                met = met or pause or None
                continue
            element = nodes[source].element
            length, last = passed, pause
            if isinstance(element, Pause):
                length += element.for_.shortest_ms if element.for_ is not None else 0
                last = pause or source
            heapq.heappush(heap, (length, source, last))
    return least or 0, met
