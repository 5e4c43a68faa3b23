"""Waits for what becomes of a message: was it sent, and can anybody ever tell what became of it?"""

from __future__ import annotations

from dataclasses import dataclass

from tactful.elements.contract import Element, Send
from tactful.elements.options.channel import CHANNELS, MESSAGE_EVENTS
from tactful.elements.options.reference import SendRef
from tactful.elements.wait_for_reply import WaitForReply
from tactful.flows.checks.paths import SENT, FlowPaths, leads_only_to_end
from tactful.flows.checks.senders import sender_of
from tactful.flows.draft import NOT_SENT, Draft, DraftNode, Path
from tactful.flows.problem import listed, quoted

_OF_MESSAGES_ALONE = MESSAGE_EVENTS - {"replied", "opted_out"}
"""The events that cannot come where nothing was sent. People write and opt out of themselves, too."""


@dataclass(frozen=True, slots=True)
class MessageWait:
    """An element that names sends. `sends` are those that exist, `all_exist` says whether these are all;
    `path` leads to the option that names them."""

    node: DraftNode
    element: Element
    sends: tuple[str, ...]
    all_exist: bool
    path: Path


def message_waits(draft: Draft) -> list[MessageWait]:
    """All waits for messages. What one names wrongly is reported."""
    return [wait for node in draft.all_nodes() if (wait := _message_wait(node, draft)) is not None]


def _message_wait(node: DraftNode, draft: Draft) -> MessageWait | None:
    named = [(path, str(value)) for path, value in node.options() if isinstance(value, SendRef)]
    if not named or node.element is None:
        return None
    sends = []
    for path, name in named:
        target = draft.nodes.get(name)
        if target is None:
            known = [other for other, there in draft.nodes.items() if isinstance(there.element, Send)]
            hint = draft.report.meant(name, known) or (f"the flow sends {listed(known)}" if known else None)
            message = f"there is no element {quoted(name)}"
            draft.report.error(node.spot_of(path), "unknown-element", message, hint)
        elif target.element is not None and target.element.sends is None:
            message = f"{quoted(name)} is a `{target.type}`: it sends nothing that could be waited for"
            hint = "`message` names the element that sends"
            draft.report.error(node.spot_of(path), "not-a-send", message, hint)
        elif target.element is not None:
            sends.append(name)
    return MessageWait(node, node.element, tuple(sends), len(sends) == len(named), named[0][0][:1])


# --- Can the event come at all? ------------------------------------------------------------------


def check_reports(draft: Draft, waits: list[MessageWait]) -> None:
    """Every event that is awaited can be reported by the channels and senders of the messages it is about.

    Otherwise everybody would leave by `timed_out`: a flow that blocks who did not open an SMS blocks everyone.
    """
    of_message = {wait.node for wait in waits}
    for wait in waits:
        event = _awaited(wait.element)
        if event is None:
            continue
        if event not in MESSAGE_EVENTS:
            hint = draft.report.meant(event, MESSAGE_EVENTS) or "leave `message` out to wait for an event of your own"
            message = f"messages have no event {quoted(event)}"
            draft.report.error(wait.node.spot_of(("event",)), "not-a-message-event", message, hint)
            continue
        path: Path = ("event",) if hasattr(wait.element, "event") else wait.path
        for name in wait.sends:
            if problem := _never_reported(event, name, draft):
                draft.report.error(wait.node.spot_of(path), "never-reported", *problem)
    sends = [name for name, node in draft.nodes.items() if isinstance(node.element, Send)]
    for node in draft.all_nodes():
        event = getattr(node.element, "event", None)
        if node in of_message or event not in _OF_MESSAGES_ALONE:
            continue
        spot = node.spot_of(("event",))
        problems = [_never_reported(event, name, draft) for name in sends]
        if not sends:
            message = f"{quoted(event)} happens to messages, and this flow sends none"
            draft.report.error(spot, "never-reported", message)
        elif all(problems):
            draft.report.error(spot, "never-reported", *next(filter(None, problems)))


def _awaited(element: Element) -> str | None:
    event = getattr(element, "event", None)
    if isinstance(event, str):
        return event
    return "replied" if isinstance(element, WaitForReply) else None


def _never_reported(event: str, send: str, draft: Draft) -> tuple[str, str] | None:
    """Why an event never comes of what an element sends, and what might be done; None where it may come."""
    element = draft.nodes[send].element
    assert element is not None
    channel = CHANNELS.get(element.sends or "")
    if channel is not None and event not in channel.reports:
        message = f"{quoted(event)} is never reported on {channel.name}, the channel of {quoted(send)}"
        return message, f"{channel.name} reports {listed(sorted(channel.reports))}"
    sender, facts = sender_of(element, draft)
    if facts is not None and facts.reports is not None and event not in facts.reports:
        message = f"{quoted(event)} is never reported by {quoted(sender)}, the sender of {quoted(send)}"
        return message, f"it reports {listed(sorted(facts.reports)) or 'nothing'}"
    if facts is not None and event == "replied" and not facts.two_way:
        message = f"nobody can reply to {quoted(sender)}, the sender of {quoted(send)}"
        return message, "use a sender with `two_way: true`"
    return None


# --- Was it sent? --------------------------------------------------------------------------------


def check_sent_before(paths: FlowPaths, wait: MessageWait) -> None:
    """One of the wait's messages was sent on every path that leads there, or `not_sent` is named."""
    node = wait.node
    if NOT_SENT in node.named or _always_sent(paths, wait):
        return
    message = f"{listed(wait.sends, 'or')} is not sent on every path that leads to {quoted(node.id)}"
    hint = "name where those go who got no message: `not_sent: …` in `next`"
    if NOT_SENT not in node.exits:
        hint = "let every path pass the send"
    paths.draft.report.error(node.spot_of(wait.path), "not-always-sent", message, hint)


def _always_sent(paths: FlowPaths, wait: MessageWait) -> bool:
    """Whether on every path to the wait one of its messages was sent, and not tried again in vain since.

    A wait mostly follows its send closely: a short search backwards finds out. Where it does not end soon,
    everything that may be come to without the message is found once, for all waits of these sends.
    """
    sends = frozenset(wait.sends)
    found = _comes_unsent(paths, wait.node.id, sends, _CLOSE)
    if found is None:
        failing = [name for name in sends if not leads_only_to_end(paths.draft.nodes[name], but=SENT)]
        if failing and len(sends) > 1:
            found = _comes_unsent(paths, wait.node.id, sends, _FAR)
        else:
            found = wait.node.id in paths.reached_without(sends, failing)
    return not found  # where it is not proved either way, all is well: such a journey ends at the wait


_CLOSE, _FAR = 200, 20_000  # steps


def _comes_unsent(paths: FlowPaths, begin: str, sends: frozenset[str], most_steps: int) -> bool | None:
    """Whether a journey may come to an element without a message; None where that takes too long to say.

    A search backwards. With each element goes which sends failed on the way from it to where we began: what was
    sent before that no longer counts, for it is an element's newest message that is meant.
    """
    nobody: frozenset[str] = frozenset()
    stack = [(begin, nobody)]
    seen = set(stack)
    while stack:
        name, failed = stack.pop()
        if name == paths.start:
            return True
        for source, way_out in paths.ways_into(name):
            known = failed
            if source in sends and source not in failed:
                if way_out == SENT:
                    continue
                known = failed | {source}
            if (source, known) not in seen:
                seen.add((source, known))
                stack.append((source, known))
        if len(seen) > most_steps or not paths.step():
            return None
    return False
