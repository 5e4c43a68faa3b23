"""What follows from what providers tell us: messages delivered or not, and who goes on the Do Not Contact list.

Receipts come twice, out of order, and before the call that sent the message returned. One counts only where it is of
the attempt that the message stands by: the same name at the provider, the same address.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, select

from tactful.elements.contract import Instant, MessageKey
from tactful.engine.channels.receipts import Receipt
from tactful.engine.compose import Engine
from tactful.engine.incoming import Incoming
from tactful.engine.keyring import is_erased
from tactful.engine.optout.do_not_contact import Change, Entry
from tactful.engine.optout.noes import BOUNCED_HARD, No, hold_whom_concern, put_on_list
from tactful.engine.optout.opting import changing, opt
from tactful.engine.outbox import DELIVERED, FAILED, SENDING, SENT, SUPPRESSED, UNKNOWN, Settled
from tactful.engine.store.statements import MESSAGE, WAITING, Query, among, as_list


class _Stand(NamedTuple):
    """A message a receipt may be of, as it stands."""

    journey: int
    step: int
    channel: str
    sender: str
    state: str
    unknowns: int
    destination: str | None
    provider_id: str | None


_messages = Query(
    select(*(MESSAGE.c[name] for name in _Stand._fields)).where(among(MESSAGE.c.journey, bindparam("journeys"))),
    "journeys",
)


def take_in(engine: Engine, receipts: Sequence[Receipt], senders: Collection[str], now: Instant) -> int:
    """Let what a provider told of messages of these senders take effect; of how many it said something.

    When this returns it is committed. What is told again changes nothing.
    """
    with engine.store.read() as tx:
        stands = map(_Stand._make, _messages.rows(tx, as_list({each.message.journey for each in receipts})))
        found = {MessageKey(row.journey, row.step): row for row in stands}
    settled: list[Settled] = []
    told: list[Receipt] = []
    for each in receipts:
        row = found.get(each.message)
        if row is None or row.sender not in senders or not _is_of(each, row):
            continue
        unsettled = row.state in (SENDING, UNKNOWN) or (row.state in WAITING and row.unknowns > 0)
        if each.became == "rejected" and unsettled:
            # It never left the provider: no event may prove that it went out.
            state = SUPPRESSED if each.blocked else FAILED
            settled.append(Settled(each.message, state, f"{each.code}, told later", no=_no(each)))
        elif each.became == "delivered" or unsettled or row.state in (SENT, DELIVERED):
            told.append(each)
    engine.outbox.settle(settled, now)
    if told:
        events = [_event(each) for each in told]
        with engine.host.transaction(shared=True) as tx:
            if any(_no(each) for each in told):
                hold_whom_concern(tx, events)
            for each, became in zip(told, engine.host.learn(tx, events, now), strict=True):
                no = _no(each)
                if became.state == "learnt" and no is not None:
                    row = found[each.message]
                    assert row.destination is not None, "no receipt is of a message that went nowhere"
                    evidence = {"message": str(each.message), "receipt": each.code}
                    to = (row.destination, row.channel, row.sender)
                    put_on_list(engine.host, tx, no, to, evidence, now, at=each.at)
    return len(settled) + len(told)


def follow_list(engine: Engine, to: tuple[str, str, str], provider: str, word: str, text: str, now: Instant) -> bool:
    """The provider has put somebody on its own list of a sender by itself (`STOP`), or taken them off (`START`): ours
    follows; whether it changed. What others put on ours stays; what is there already is not put there again. `to` is
    their number, the channel, and our sender."""
    destination, channel, sender = to
    entry = Entry(destination, channel, sender, "everything")
    source = f"{provider} {word}"
    with changing(engine.store, [destination]) as tx:
        engine.host.flows.refresh(tx)
        blocks = engine.do_not_contact.blocks_of(tx, [destination]).get(destination, ())
        there = [b for b in blocks if (b.channel, b.sender, b.covers) == entry[1:]]
        if there if word == "STOP" else not any(b.source.startswith(f"{provider} ") for b in there):
            return False
        change = Change(word == "STOP", entry, source, None, {"text": text, "sender": sender})
        data = {"channel": channel, "sender": sender}
        return bool(opt(engine.host, tx, [change], now, data))


def _is_of(receipt: Receipt, row: _Stand) -> bool:
    if receipt.provider_id is not None and row.provider_id not in (None, receipt.provider_id):
        return False
    to = row.destination
    return to is not None and (is_erased(to) or receipt.destination in (None, to))


def _no(receipt: Receipt) -> No | None:
    if receipt.blocked is not None:
        return No(receipt.code, level=receipt.blocked)
    return BOUNCED_HARD if receipt.nobody else None


def _event(receipt: Receipt) -> Incoming:
    if receipt.became == "delivered":
        return Incoming("delivered", message=receipt.message, at=receipt.at, key=receipt.key)
    kind = "blocked" if receipt.blocked else "hard" if receipt.nobody else "soft"
    data = {"type": kind, "code": receipt.code}
    return Incoming("bounced", message=receipt.message, data=data, at=receipt.at, key=receipt.key)
