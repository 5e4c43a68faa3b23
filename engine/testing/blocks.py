"""The Do Not Contact list of a world: who stands on it, and somebody who puts them on it or takes them off by hand."""

from __future__ import annotations

from tactful.elements.contract import Contact, Instant
from tactful.elements.options.channel import CHANNELS
from tactful.engine.addresses import address_of, destination_of
from tactful.engine.compose import Engine
from tactful.engine.optout import by_hand
from tactful.engine.rules.permission import ALL_CHANNELS, ANY_SENDER
from tactful.engine.testing import history

REASON = "by hand, in a test"


def is_on(engine: Engine, contact: str, channel: str, sender: str | None) -> bool:
    """Whether an entry for any sender stops the channel for a contact; with `sender`, an entry at either level that
    stops this sender. Raises LookupError where there is no such contact."""
    who = _who(engine, contact)
    to = {at for each in _channels(channel) if (at := destination_of(who, each)) is not None}
    with engine.store.read() as tx:
        entries = [block for blocks in engine.do_not_contact.blocks_of(tx, to).values() for block in blocks]
    return any(block.channel in (channel, ALL_CHANNELS) and block.sender in (ANY_SENDER, sender) for block in entries)


def put_on(engine: Engine, contact: str, channel: str, sender: str | None, now: Instant) -> bool:
    """Put a contact on the list as `tactful dnc add` does; whether they were not on it yet. Raises LookupError where
    they have no address on the channel."""
    addresses = _addresses(engine, contact, channel)
    return sum(by_hand.block(engine, at, channel, now, sender=sender or ANY_SENDER) for at in addresses) > 0


def take_off(engine: Engine, contact: str, channel: str, sender: str | None, now: Instant) -> bool:
    """Take a contact off again: the entries of exactly this channel and sender. Whether there were any. Raises
    LookupError where they have no address on the channel."""
    addresses = _addresses(engine, contact, channel)
    from_whom = sender or ANY_SENDER
    return sum(by_hand.unblock(engine, at, channel, now, sender=from_whom, reason=REASON) for at in addresses) > 0


def _addresses(engine: Engine, contact: str, channel: str) -> set[str]:
    who = _who(engine, contact)
    found = {at for each in _channels(channel) if (at := address_of(who, each)) is not None}
    if not found:
        raise LookupError(f"the contact has no address for `{channel}`")
    return found


def _channels(channel: str) -> tuple[str, ...]:
    return tuple(CHANNELS) if channel == ALL_CHANNELS else (channel,)


def _who(engine: Engine, contact: str) -> Contact:
    with engine.store.read() as tx:
        who = history.contact(tx, contact)
    if who is None:
        raise LookupError(f"there is no contact {contact!r}")
    return who
