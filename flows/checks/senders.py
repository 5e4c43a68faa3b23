"""Who messages come from: senders the project knows, on their own channel, and a way for people to say no."""

from __future__ import annotations

from collections.abc import Mapping

from tactful.elements.contract import Element
from tactful.elements.options.template import Template
from tactful.flows.blocks import purpose_of, sender_named
from tactful.flows.draft import Draft, DraftNode
from tactful.flows.model import SenderFacts
from tactful.flows.pieces import MapPiece
from tactful.flows.problem import listed, quoted
from tactful.flows.text import Spot

OPT_OUT_LINK = "opt_out_link"
"""What templates call the opt-out link of their message."""


def check_senders(draft: Draft) -> None:
    """Senders and purposes of the settings and of all elements."""
    _check_settings(draft)
    told: set[str] = set()
    for node in draft.all_nodes():
        if node.element is None:
            continue
        _check_purpose_allowed(node, draft)
        channel = channel_used(node.element)
        if channel is None:
            continue
        written = getattr(node.element, "sender", None)
        if isinstance(written, str):
            if channel != "all":
                _check_sender(written, channel, node.spot_of(("sender",)), draft)
        elif _needs_sender(node.element):
            for one in sorted(_channels_of(channel, draft)):
                if one not in told and _has_none(one, draft):
                    told.add(one)
                    message = f"no sender is named for {one}, which {quoted(node.id)} uses"
                    hint = f"name one in the settings: `sender: {{{one}: …}}`"
                    known = [name for name, facts in (draft.around.senders or {}).items() if facts.channel == one]
                    if len(known) == 1:
                        hint = f"name one in the settings: `sender: {{{one}: {known[0]}}}`"
                    draft.report.error(node.spot, "no-sender", message, hint)
        if node.element.sends is not None:
            _check_way_out(node, draft)


def channel_used(element: Element) -> str | None:
    """The channel an element sends on, or whose addresses it blocks (`all`: every one); None for all others."""
    channel = element.sends or getattr(element, "channel", None)
    return channel if isinstance(channel, str) else None


def sender_of(element: Element, draft: Draft) -> tuple[str, SenderFacts | None]:
    """The sender an element uses, its own or the settings', and what is known of it; "" where it is not known."""
    sender = sender_named(element, channel_used(element) or "", draft.settings)
    return sender, (draft.around.senders or {}).get(sender)


def _needs_sender(element: Element) -> bool:
    return element.sends is not None or getattr(element, "level", None) == "this_sender"


def _channels_of(channel: str, draft: Draft) -> frozenset[str]:
    if channel != "all":
        return frozenset({channel})
    return frozenset(node.element.sends for node in draft.nodes.values() if node.element and node.element.sends)


def _has_none(channel: str, draft: Draft) -> bool:
    """Whether a channel certainly has no sender. A lone file is not asked for one."""
    if draft.settings is None or draft.around.senders is None:
        return False
    return channel not in draft.settings.senders


def _check_settings(draft: Draft) -> None:
    piece = draft.piece_at("settings", "sender")
    if draft.settings is None or not isinstance(piece, MapPiece):
        return
    for channel, sender in draft.settings.senders.items():
        if channel not in draft.channels:
            hint = draft.report.meant(channel, draft.channels) or f"there are {listed(sorted(draft.channels))}"
            message = f"there is no channel {quoted(channel)}"
            draft.report.error(piece.entries[channel].spot, "unknown-channel", message, hint)
        else:
            _check_sender(sender, channel, draft.spot_of("settings", "sender", channel), draft)
    if draft.settings.purpose == "transactional":
        _check_transactional(draft, draft.spot_of("settings", "purpose"))


def _check_sender(sender: str, channel: str, spot: Spot, draft: Draft) -> None:
    senders: Mapping[str, SenderFacts] | None = draft.around.senders
    if senders is None:
        return
    facts = senders.get(sender)
    if facts is None:
        of_channel = [name for name, known in senders.items() if known.channel == channel]
        hint = draft.report.meant(sender, of_channel)
        if hint is None:
            hint = f"for {channel} it has {listed(of_channel)}" if of_channel else f"it has none for {channel}"
        message = f"the project has no sender {quoted(sender)}"
        draft.report.error(spot, "unknown-sender", message, hint)
    elif facts.channel != channel:
        message = f"{quoted(sender)} is a sender for {facts.channel}, not for {channel}"
        draft.report.error(spot, "wrong-channel", message)


def _check_purpose_allowed(node: DraftNode, draft: Draft) -> None:
    if getattr(node.element, "purpose", None) == "transactional":
        _check_transactional(draft, node.spot_of(("purpose",)))


def _check_transactional(draft: Draft, spot: Spot) -> None:
    allowed = draft.around.transactional
    if allowed is not None and draft.id is not None and draft.id not in allowed:
        message = f"the project does not let {quoted(draft.id)} send transactional messages"
        hint = f"they pass opt-outs from marketing: if it may, list {quoted(draft.id)} under `transactional`"
        draft.report.error(spot, "not-transactional", message, hint)


def _check_way_out(node: DraftNode, draft: Draft) -> None:
    """Whoever gets marketing can say no: by answering, or by a link."""
    element = node.element
    assert element is not None
    sender, facts = sender_of(element, draft)
    one_way = facts is not None and not facts.two_way and purpose_of(element, draft.settings) == "marketing"
    switched_off = draft.around.opt_out_links is False
    if not (one_way or switched_off):
        return
    has_link = any(isinstance(value, Template) and value.mentions(OPT_OUT_LINK) for _, value in node.options())
    if one_way and not has_link:
        message = (
            f"nobody can say no to {quoted(node.id)}: {quoted(sender)} takes no replies, and no opt-out link is given"
        )
        hint = "put `{{ opt_out_link }}` into the text, or use a sender with `two_way: true`"
        draft.report.error(node.spot, "no-opt-out", message, hint)
    if switched_off and has_link:
        message = f"{quoted(node.id)} has an opt-out link, but the project has opt-out links switched off"
        hint = "see `opt_out` in tactful.yaml: `base_url`, and `links: {enabled: true}`"
        draft.report.warning(node.spot, "opt-out-links-off", message, hint)
