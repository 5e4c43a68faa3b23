"""What a person does to the Do Not Contact list: put an address on it, take it off, ask why.

The address comes as a person writes it, with the channel it is meant for; `all` is every channel that
reaches this kind of address.
"""

from __future__ import annotations

from dataclasses import dataclass

from tactful.elements.contract import Covers, Instant, Purpose
from tactful.elements.options.channel import CHANNELS
from tactful.engine.addresses import BadAddress, destination
from tactful.engine.compose import Engine
from tactful.engine.optout import do_not_contact
from tactful.engine.optout.do_not_contact import Act
from tactful.engine.rules.permission import ALL_CHANNELS, ANY_SENDER, Block, Request, covering


@dataclass(frozen=True, slots=True)
class Explained:
    """May this address be written to? `block` is the entry that says no, None where none does."""

    destination: str
    channel: str
    sender: str
    purpose: Purpose
    block: Block | None
    entries: tuple[Block, ...]
    history: tuple[Act, ...]


def destination_for(address: str, channel: str, region: str | None = None) -> str:
    """The key of an address on a channel. Raises BadAddress in plain words."""
    if channel == ALL_CHANNELS:
        return destination("email" if "@" in address else "phone", address, region)
    if channel not in CHANNELS:
        raise BadAddress(f"there is no channel {channel!r}; there are {', '.join(CHANNELS)} and {ALL_CHANNELS}")
    return destination(CHANNELS[channel].address, address, region)


def block(
    engine: Engine,
    address: str,
    channel: str,
    now: Instant,
    *,
    sender: str = ANY_SENDER,
    covers: Covers = "everything",
    reason: str | None = None,
    region: str | None = None,
) -> bool:
    """Put an address on the list; whether it was not on it yet. Waiting messages to it are suppressed at once."""
    to = destination_for(address, channel, region)
    with engine.store.write() as tx:  # not the host's: this must work also where no flow loads any more
        new = do_not_contact.add(
            tx, engine.store.statements, [(to, channel, sender, covers)], "a person", reason, now, {}
        )
        engine.outbox.hurry(tx, [to])
    return new > 0


def unblock(
    engine: Engine,
    address: str,
    channel: str,
    now: Instant,
    *,
    reason: str,
    sender: str = ANY_SENDER,
    covers: Covers | None = None,
    region: str | None = None,
) -> int:
    """Take an address off the list, from exactly this channel and level; how many entries that were.

    It takes a reason, which is kept. `covers` None means whichever the entry covers.
    """
    to = destination_for(address, channel, region)
    kinds: tuple[Covers, ...] = ("marketing", "everything") if covers is None else (covers,)
    with engine.store.write() as tx:
        entries = [(to, channel, sender, kind) for kind in kinds]
        return do_not_contact.remove(tx, engine.store.statements, entries, "a person", reason, now)


def explain(
    engine: Engine,
    address: str,
    channel: str,
    *,
    sender: str = ANY_SENDER,
    purpose: Purpose = "marketing",
    region: str | None = None,
) -> Explained:
    """May this address be written to, and which entry decides."""
    to = destination_for(address, channel, region)
    with engine.store.read() as tx:
        entries = do_not_contact.blocks_of(tx, [to]).get(to, [])
        history = do_not_contact.history(tx, to)
    decides = covering(Request(channel, sender, to, purpose, None), entries)
    return Explained(to, channel, sender, purpose, decides, tuple(entries), tuple(history))
