"""What an opt-out link does: confirmed, it puts the address its message went to on the Do Not Contact list.

By the same link the list gives the address back, as far as links have put it there. What somebody said by a keyword or
a complaint, what a flow or a person of ours decided, stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection

from tactful.elements.contract import Covers, Instant, Purpose
from tactful.elements.options.channel import CHANNELS
from tactful.engine.addresses import destination_of
from tactful.engine.flowbook import FlowGone
from tactful.engine.incoming import OPTED_OUT, Incoming
from tactful.engine.optout.do_not_contact import BLOCKED, Act, Change, Entry
from tactful.engine.optout.links import LinkedMessage
from tactful.engine.optout.opting import changing, look_again, opt
from tactful.engine.project_options import Links
from tactful.engine.rules.permission import ALL_CHANNELS, ANY_SENDER, Request, covering

if TYPE_CHECKING:
    from tactful.engine.compose import Engine

SOURCE = "opt-out link"
"""The source of entries that were put on the list by one."""

Scope = Literal["this_sender", "this_channel", "everything"]
"""What somebody wants no more of: the sender of the message, all senders of its channel, or all we could write to them
on any channel, at every address we have of them."""

How = Literal["page", "one-click", "preferences"]
"""By what they said so: the button of the page, that of a mail program (RFC 8058), or the page with choices."""

_LONGEST_USER_AGENT = 200


def covers_of(purpose: Purpose, options: Links) -> Covers:
    """What an opt-out by the link of a message covers: what the project says; everything where the message was no
    marketing, or such messages would go on as if nothing had been said."""
    return "everything" if purpose == "transactional" else options.covers


def scope_of(options: Links) -> Scope:
    """What an opt-out means that chooses nothing."""
    return "this_sender" if options.level == "this_sender" else "this_channel"


def opt_out(
    engine: Engine,
    message: LinkedMessage,
    options: Links,
    now: Instant,
    *,
    scope: Scope | None = None,
    how: How = "page",
    user_agent: str | None = None,
) -> None:
    """Put the address on the list, and let everything follow: the message has `opted_out`, what waits to be sent is
    looked at again, others who have the address learn it. One transaction; said again, it changes nothing."""
    evidence = {**_evidence(message, user_agent), "how": how}
    destinations = _destinations(message, scope or scope_of(options))
    with changing(engine.store, destinations) as tx:
        asked = _asked(engine, tx, destinations)
        entries = [
            entry
            for entry in _entries(message, scope or scope_of(options), covers_of(message.purpose, options))
            if not any(_by_link_of(message, act) for act in asked.get(entry, ()))
        ]
        if entries:
            _carry_out(engine, tx, message, [Change(True, each, SOURCE, None, evidence) for each in entries], now)


def opt_in(engine: Engine, message: LinkedMessage, now: Instant, *, user_agent: str | None = None) -> bool:
    """Take off the list what links have put there for this address, channel and sender; whether such messages may go
    there again. Entries of other origin stand, also those that a link has only repeated."""
    evidence, why = _evidence(message, user_agent), "they asked for messages again"
    destinations = _destinations(message, "everything")
    with changing(engine.store, destinations) as tx:
        asked = _asked(engine, tx, destinations)
        entries = [
            entry for entry, acts in asked.items()
            if all(act.block.source == SOURCE for act in acts) and _concerns(message, entry, acts)
        ]  # fmt: skip
        if entries:
            _carry_out(engine, tx, message, [Change(False, each, SOURCE, why, evidence) for each in entries], now)
        to = message.destination
        standing = engine.do_not_contact.blocks_of(tx, [to]).get(to, ())
        return covering(Request(message.channel, message.sender, to, "marketing", None), standing) is None


def _carry_out(engine: Engine, tx: Connection, message: LinkedMessage, changes: Sequence[Change], now: Instant) -> None:
    data = {"channel": message.channel, "sender": message.sender}
    try:
        engine.host.flows.refresh(tx)
    except FlowGone:  # a no is heard also where no flow loads any more; then nobody learns of it
        engine.do_not_contact.change(tx, changes, now)
        look_again(engine.host, tx, [each.entry.destination for each in changes])
        return
    out = any(each.adds for each in changes)
    opt(engine.host, tx, changes, now, data, told_already=[message.contact.key] if out else ())
    if out:
        engine.host.learn(tx, [Incoming(OPTED_OUT, message=message.key, data=data)], now)


def _entries(message: LinkedMessage, scope: Scope, covers: Covers) -> list[Entry]:
    if scope == "everything":
        return [Entry(to, ALL_CHANNELS, ANY_SENDER, covers) for to in _destinations(message, scope)]
    sender = message.sender if scope == "this_sender" else ANY_SENDER
    return [Entry(message.destination, message.channel, sender, covers)]


def _destinations(message: LinkedMessage, scope: Scope) -> list[str]:
    """The address the message went to, first; with all others of its contact where everything is meant."""
    others = (destination_of(message.contact, channel) for channel in CHANNELS) if scope == "everything" else ()
    return list(dict.fromkeys([message.destination, *(to for to in others if to is not None)]))


def _asked(engine: Engine, tx: Connection, destinations: Iterable[str]) -> dict[Entry, list[Act]]:
    """The entries that stand for these very addresses, each with the acts that put it there, oldest first."""
    asked: dict[Entry, list[Act]] = {}
    for to in destinations:
        for act in engine.do_not_contact.history(tx, to):
            block = act.block
            entry = Entry(block.destination, block.channel, block.sender, block.covers)
            if block.destination != to:
                continue
            if act.what == BLOCKED:
                asked.setdefault(entry, []).append(act)
            else:
                asked.pop(entry, None)
    return asked


def _concerns(message: LinkedMessage, entry: Entry, acts: Sequence[Act]) -> bool:
    """Whether an entry is one that the way back of a message's link may take off. At other addresses of its contact,
    that is what this link itself has put there."""
    if entry.destination != message.destination:
        return all(_by_link_of(message, act) for act in acts)
    return entry.channel in (message.channel, ALL_CHANNELS) and entry.sender in (message.sender, ANY_SENDER)


def _by_link_of(message: LinkedMessage, act: Act) -> bool:
    return act.block.source == SOURCE and act.evidence.get("message") == str(message.key)


def _evidence(message: LinkedMessage, user_agent: str | None) -> Mapping[str, Any]:
    """What is kept of it. Where from it was said (an IP address) is not."""
    evidence = {
        "message": str(message.key), "flow": message.flow, "version": message.version, "element": message.element,
    }  # fmt: skip
    said = "".join(letter for letter in user_agent or "" if letter.isprintable())[:_LONGEST_USER_AGENT]
    return {**evidence, "user_agent": said} if said else evidence
