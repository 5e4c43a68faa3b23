"""A contact follows the opt-out link of a message, and confirms."""

from __future__ import annotations

from tactful.elements.contract import Instant, Level, MessageKey
from tactful.engine.compose import Engine
from tactful.engine.incoming import OPTED_OUT, Incoming
from tactful.engine.optout.do_not_contact import Change, Entry
from tactful.engine.optout.opting import opt
from tactful.engine.rules.permission import ANY_SENDER
from tactful.engine.store import reading

SOURCE = "opt-out link"


def opt_out_by_link(engine: Engine, key: MessageKey, level: Level, now: Instant) -> None:
    """What confirming the link of a message does: the address it went to is put on the Do Not Contact list for the
    message's channel, covering everything; messages that wait are looked at again; then the message has `opted_out`."""
    with engine.host.transaction() as tx:
        message = reading.stands(tx, [key.journey])[key]
        contact = reading.contacts(tx, [message.contact])[message.contact].key
        assert message.destination is not None, "a message whose link was followed was sent"
        sender = message.sender if level == "this_sender" else ANY_SENDER
        entry = Entry(message.destination, message.channel, sender, "everything")
        change = Change(True, entry, SOURCE, None, {"message": str(key)})
        data = {"channel": message.channel, "sender": message.sender}
        opt(engine.host, tx, [change], now, data, told_already=[contact])
        engine.host.learn(tx, [Incoming(OPTED_OUT, message=key, data=data)], now)
