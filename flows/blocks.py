"""What elements put on the Do Not Contact list and take off it, and which sends that stops."""

from __future__ import annotations

from typing import NamedTuple

from tactful.elements.add_to_do_not_contact import AddToDoNotContact
from tactful.elements.contract import NOTHING, Element, Purpose, Settings
from tactful.elements.remove_from_do_not_contact import RemoveFromDoNotContact

ANY = None
"""The sender of a block that holds for all of them."""


class Block(NamedTuple):
    """What an element puts on the list: whom one cannot write to any more, from which sender, with what."""

    channel: str
    sender: str | None
    covers: str


def sender_named(element: Element, channel: str, settings: Settings | None) -> str:
    """The sender an element uses on a channel, its own or the settings'; "" where neither names one."""
    written = getattr(element, "sender", None)
    if isinstance(written, str):
        return written
    senders = settings.senders if settings is not None else NOTHING
    return str(senders.get(channel, ""))


def purpose_of(element: Element, settings: Settings | None) -> Purpose:
    """What an element's messages are for: its own purpose, or the flow's."""
    own: Purpose | None = getattr(element, "purpose", None)
    return own or (settings.purpose if settings is not None else "marketing")


def stopping(element: Element, channel: str, settings: Settings | None) -> frozenset[Block]:
    """The blocks that stop a send: of its channel, for all senders or its own, and covering its purpose."""
    sender = sender_named(element, channel, settings)
    covering = ["everything"]
    if purpose_of(element, settings) == "marketing":
        covering.append("marketing")
    return frozenset(Block(channel, by, covers) for by in (ANY, sender) for covers in covering)


def added(element: Element, channels: frozenset[str], settings: Settings | None) -> frozenset[Block]:
    """What an element puts on the list, of these channels."""
    # Elements of other hands say by `blocks()` what holds for all senders.
    named = frozenset({element.channel}) if isinstance(element, AddToDoNotContact) else element.blocks()
    return _entries(element, named, channels, settings)


def lifted(element: Element, channels: frozenset[str], settings: Settings | None) -> frozenset[Block]:
    """What an element takes off the list again, of these channels."""
    named = frozenset({element.channel}) if isinstance(element, RemoveFromDoNotContact) else element.unblocks()
    return _entries(element, named, channels, settings)


def _entries(
    element: Element, named: frozenset[str], channels: frozenset[str], settings: Settings | None
) -> frozenset[Block]:
    covers = getattr(element, "covers", "everything")
    this_sender = getattr(element, "level", "any_sender") == "this_sender"
    return frozenset(
        Block(channel, sender_named(element, channel, settings) if this_sender else ANY, covers)
        for channel in (channels if "all" in named else named & channels)
    )
