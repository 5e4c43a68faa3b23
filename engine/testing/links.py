"""A contact follows the opt-out link of a message, and confirms."""

from __future__ import annotations

from tactful.elements.contract import Covers, Instant, Level, MessageKey
from tactful.engine.addresses import destination_of
from tactful.engine.compose import Engine
from tactful.engine.host import Incoming
from tactful.engine.optout import do_not_contact
from tactful.engine.rules.permission import ANY_SENDER
from tactful.engine.testing import history

SOURCE = "opt-out link"

Entry = tuple[str, str, str, Covers]


def opt_out_by_link(engine: Engine, key: MessageKey, level: Level, now: Instant) -> None:
    """What confirming the link of a message does: its address is put on the Do Not Contact list for the message's
    channel, covering everything; messages that wait are looked at again; then the message has `opted_out`."""
    with engine.host.transaction() as tx:
        message = next(each for each in history.messages(tx) if each.key == key)
        contact = history.contact(tx, message.contact)
        to = None if contact is None else destination_of(contact, message.channel)
        if to is not None:
            sender = message.sender if level == "this_sender" else ANY_SENDER
            entry: Entry = (to, message.channel, sender, "everything")
            do_not_contact.add(tx, engine.store.statements, [entry], SOURCE, None, now, {"message": str(key)})
            engine.outbox.hurry(tx, [to])
    engine.host.tell([Incoming("opted_out", message=key)], now)
