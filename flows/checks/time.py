"""Time that must pass, and time that is gone: circles without a wait, and pauses that eat up a wait."""

from __future__ import annotations

import heapq

from tactful.elements.options.duration import Duration
from tactful.elements.pause import Pause
from tactful.flows.checks.messages import MessageWait
from tactful.flows.checks.paths import SENT, FlowPaths
from tactful.flows.circles import timeless_circles
from tactful.flows.draft import DraftNode
from tactful.flows.problem import listed, quoted


def check_circles(paths: FlowPaths, waits: list[MessageWait]) -> None:
    """No journey goes round in a circle without time passing on each round."""
    nodes = paths.draft.nodes
    by_id = {wait.node.id: wait.sends for wait in waits if nodes[wait.node.id] is wait.node and wait.sends}
    quick = {name for name, node in nodes.items() if not _lets_time_pass(node)}
    for circle in timeless_circles(nodes, paths.graph, quick, by_id, paths.step):
        _tell_circle(paths, circle)


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
