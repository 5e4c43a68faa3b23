"""What a flow can be proved to do wrong before anybody enters it.

Each theme is a module. All look at a `Draft`, report into its report, and leave out what they cannot know because
something they need is at fault itself. Work grows with the size of the flow; no path is followed one by one.
"""

from __future__ import annotations

from tactful.elements.pause import Pause
from tactful.flows.checks.messages import check_reports, check_sent_before, message_waits
from tactful.flows.checks.names import check_names
from tactful.flows.checks.opt_outs import check_opt_outs
from tactful.flows.checks.paths import FlowPaths, check_reached
from tactful.flows.checks.senders import check_senders
from tactful.flows.checks.time import check_circles, check_time_left
from tactful.flows.draft import Draft

OF_PATHS = frozenset({
    "circle", "never-reported", "no-opt-out", "not-always-sent", "pause-eats-wait", "send-after-opt-out", "unreachable",
})  # fmt: skip
"""The errors of a flow that is whole, all of it read and every exit leading somewhere, and leads people wrong."""


def check(draft: Draft) -> None:
    """Report all that is wrong with what was read."""
    check_names(draft)
    check_senders(draft)
    waits = message_waits(draft)
    check_reports(draft, waits)
    if draft.start is None:
        return
    paths = FlowPaths(draft, draft.start)
    check_reached(paths)
    check_circles(paths, waits)
    check_opt_outs(paths)
    pauses = any(isinstance(node.element, Pause) for node in draft.nodes.values())
    for wait in waits:
        if wait.all_exist and wait.node.id in paths.reached and draft.nodes[wait.node.id] is wait.node:
            check_sent_before(paths, wait)
            if pauses:
                check_time_left(paths, wait)
