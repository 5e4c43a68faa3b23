"""Sends to people whom the same flow has put on the Do Not Contact list before."""

from __future__ import annotations

from collections import deque

from tactful.elements.contract import END
from tactful.flows.blocks import Block, added, lifted, stopping
from tactful.flows.checks.paths import FlowPaths
from tactful.flows.problem import quoted


def check_opt_outs(paths: FlowPaths) -> None:
    """No path leads from a block to a send that it stops, unless the block is taken off on the way.

    Blocks are bits; what may be in force at an element is what may be behind any element before it. That is settled
    once nothing new arrives anywhere, which takes as many rounds as there are kinds of blocks at most.
    """
    draft = paths.draft
    stopped_by = {
        name: stopping(node.element, node.element.sends, draft.settings)
        for name, node in draft.nodes.items()
        if node.element is not None and node.element.sends is not None and name in paths.reached
    }
    channels = frozenset(block.channel for blocks in stopped_by.values() for block in blocks)
    matters = frozenset(block for blocks in stopped_by.values() for block in blocks)
    adding: dict[str, frozenset[Block]] = {}
    lifting: dict[str, frozenset[Block]] = {}
    for name, node in draft.nodes.items():
        if node.element is not None:
            adding[name] = matters & added(node.element, channels, draft.settings)
            lifting[name] = matters & lifted(node.element, channels, draft.settings)
    bit = {
        block: 1 << number
        for number, block in enumerate(dict.fromkeys(block for blocks in adding.values() for block in blocks))
    }
    if not bit:
        return
    adds = {name: sum(bit[block] for block in blocks) for name, blocks in adding.items() if blocks}
    lifts = {name: sum(bit.get(block, 0) for block in blocks) for name, blocks in lifting.items() if blocks}
    before = _in_force(paths, adds, lifts)
    for name, blocks in stopped_by.items():
        hit = before.get(name, 0) & sum(bit.get(block, 0) for block in blocks)
        if hit:
            blocker = _nearest(paths, name, hit, adds, lifts)
            by = f"by {quoted(blocker)}" if blocker else "by an element before it"
            message = f"{quoted(name)} can reach nobody who was put on the Do Not Contact list {by} on the way here"
            hint = "send first, or take them off again with `remove_from_do_not_contact`"
            draft.report.error(draft.nodes[name].spot, "send-after-opt-out", message, hint)


def _in_force(paths: FlowPaths, adds: dict[str, int], lifts: dict[str, int]) -> dict[str, int]:
    """The blocks that may be in force when a journey arrives at an element."""
    nodes = paths.draft.nodes
    before: dict[str, int] = {}
    waiting = deque(name for name in adds if name in paths.reached)
    while waiting:
        name = waiting.popleft()
        after = (before.get(name, 0) & ~lifts.get(name, 0)) | adds.get(name, 0)
        for target in nodes[name].exits.values():
            if target != END and after & ~before.get(target, 0):
                before[target] = before.get(target, 0) | after
                waiting.append(target)
    return before


def _nearest(paths: FlowPaths, send: str, hit: int, adds: dict[str, int], lifts: dict[str, int]) -> str | None:
    """The nearest element before a send that put one of the blocks there."""
    seen = {send}
    waiting = deque([send])
    while waiting:
        for source, _ in paths.ways_into(waiting.popleft()):
            if source in seen:
                continue
            if adds.get(source, 0) & hit:
                return source
            if not paths.step():
                return None
            if hit & ~lifts.get(source, 0):
                seen.add(source)
                waiting.append(source)
    return None
