"""Waits for what becomes of a message: was it sent, and can anybody ever tell what became of it?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

from tactful.elements.contract import Element, Send
from tactful.elements.options.channel import CHANNELS, MESSAGE_EVENTS
from tactful.elements.options.reference import SendRef
from tactful.elements.wait_for_reply import WaitForReply
from tactful.flows.checks.paths import SENT, FlowPaths
from tactful.flows.checks.senders import sender_of
from tactful.flows.draft import NOT_SENT, Draft, DraftNode, Path
from tactful.flows.pieces import ListPiece, ScalarPiece
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
    named = list(_sends_named(node))
    if not named:
        return None
    sends = []
    for path, name in named:
        target = draft.nodes.get(name)
        if target is None:
            known = [other for other, there in draft.nodes.items() if there.kind is not None and there.kind.sends]
            hint = draft.report.meant(name, known) or (f"the flow sends {listed(known)}" if known else None)
            message = f"there is no element {quoted(name)}"
            draft.report.error(node.spot_of(path), "unknown-element", message, hint)
        elif target.kind is not None and target.kind.sends is None:
            message = f"{quoted(name)} is a `{target.type}`: it sends nothing that could be waited for"
            hint = "`message` names the element that sends"
            draft.report.error(node.spot_of(path), "not-a-send", message, hint)
        elif target.element is not None:
            sends.append(name)
    if node.element is None:
        return None
    return MessageWait(node, node.element, tuple(sends), len(sends) == len(named), named[0][0][:1])


def _sends_named(node: DraftNode) -> Iterator[tuple[Path, str]]:
    """The sends an element names, with the path of each; as they are written where its options are at fault."""
    if node.element is not None:
        yield from ((path, str(value)) for path, value in node.options() if isinstance(value, SendRef))
    elif node.kind is not None and node.piece is not None:
        for name, option in node.kind.model_fields.items():
            entry = node.piece.entries.get(option.alias or name)
            if entry is None or not _holds_sends(option.annotation):
                continue
            pieces = entry.piece.items if isinstance(entry.piece, ListPiece) else [entry.piece]
            for number, piece in enumerate(pieces):
                if isinstance(piece, ScalarPiece) and piece.text:
                    yield (entry.key, number) if len(pieces) > 1 else (entry.key,), piece.text


def _holds_sends(annotation: object) -> bool:
    return annotation is SendRef or any(_holds_sends(inner) for inner in get_args(annotation))


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
        reports = f"it reports {listed(sorted(facts.reports)) or 'nothing'}"
        elsewhere = f"{reports}; where something else tells the engine of it, name it in the sender's `reports`"
        ours = element.sends == "email" and event in ("opened", "clicked")
        return message, f"{elsewhere}, or have it found out by `track`" if ours else elsewhere
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
    """Whether on every path to the wait one of its messages was sent.

    That a send failed when it was come to again makes no difference: where it may fail then, it may fail the first
    time, too. A wait mostly follows its send closely, and a short search backwards finds out. Where it does not end
    soon, everything that may be come to without the message is found once, for all waits of the same sends.
    """
    sends = frozenset(wait.sends)
    unsent = _comes_unsent(paths, wait.node.id, sends)
    if unsent is None:
        unsent = wait.node.id in paths.reached_without(sends)
    return not unsent


_CLOSE = 200


def _comes_unsent(paths: FlowPaths, begin: str, sends: frozenset[str]) -> bool | None:
    """Whether a path leads back from an element to the start without meeting the exit `sent` of one of the sends;
    None where too many elements lie between to say."""
    stack = [begin]
    seen = set(stack)
    while stack:
        name = stack.pop()
        if name == paths.start:
            return True
        for source, way_out in paths.ways_into(name):
            if source not in seen and not (way_out == SENT and source in sends):
                seen.add(source)
                stack.append(source)
        if len(seen) > _CLOSE or not paths.step():
            return None
    return False
