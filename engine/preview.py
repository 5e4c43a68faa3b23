"""A message that is not sent: what would go out to a contact now, and whether it might."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from tactful.elements.contract import Contact, Event, Instant, MessageKey, Purpose, Send
from tactful.engine.addresses import address_of
from tactful.engine.compose import Engine
from tactful.engine.flowbook import FLOW
from tactful.engine.gate import Gate
from tactful.engine.render import CannotRender, at_hand, render
from tactful.engine.rules.permission import Verdict
from tactful.engine.store import reading, rows
from tactful.engine.store.statements import JOURNEY
from tactful.engine.switches import halted
from tactful.flows.model import Flow


@dataclass(frozen=True, slots=True)
class Preview:
    """What would go out. `parts` are the rendered texts by name, None where `cannot` says why there are none;
    `sender` is empty where neither the element nor the flow names one. `journey` is the one whose entry and values
    were used, None where the contact never entered. `halted`: all sending is stopped."""

    channel: str
    sender: str
    purpose: Purpose
    address: str | None
    parts: Mapping[str, str] | None
    cannot: str | None
    verdict: Verdict
    journey: int | None
    halted: bool


def preview(
    engine: Engine,
    tx: Connection,
    flow: Flow,
    element: Send,
    contact: Contact,
    now: Instant,
    *,
    data: Mapping[str, Any] | None = None,
    link: str | None = None,
) -> Preview:
    """Render a send of a flow for a contact, and ask for permission as if it were taken now.

    `data` is what the entry's event brings; without it, that of the contact's newest journey through the flow. `link`
    is what `opt_out_link` prints.
    """
    found = _newest_journey(tx, flow.id, contact)
    id, entry, values = found or (None, Event("by_hand", now), {})
    if data is not None:
        entry = Event(entry.name, entry.at, data)
    parts, cannot = None, None
    try:
        extras = at_hand(contact, flow.settings, now, link)
        parts = render(element, contact, entry, values, flow.id, MessageKey(id or 0, 0), extras)
    except CannotRender as error:
        cannot = error.why
    assert element.sends is not None, "a send names its channel"
    channel = element.sends
    sender, purpose = sender_of(flow, element), purpose_of(flow, element, engine.host.transactional)
    gate = Gate(tx, engine.do_not_contact, engine.outbox.policy, [(contact, channel)], now)
    verdict = gate.verdict(contact, channel, sender, purpose, flow.settings)
    address = address_of(contact, channel)
    return Preview(channel, sender, purpose, address, parts, cannot, verdict, id, halted(tx))


def sender_of(flow: Flow, element: Send) -> str:
    """The sender a message goes out by; empty where none is named."""
    return element.sender or flow.settings.senders.get(element.sends or "", "")


def purpose_of(flow: Flow, element: Send, transactional: frozenset[str]) -> Purpose:
    """The purpose a message goes out for: transactional only in the flows the project allows it."""
    wanted = element.purpose or flow.settings.purpose
    return wanted if wanted == "marketing" or flow.id in transactional else "marketing"


def _newest_journey(tx: Connection, flow: str, contact: Contact) -> tuple[int, Event, Mapping[str, Any]] | None:
    number = select(FLOW.c.number).where(FLOW.c.id == flow).scalar_subquery()
    statement = (
        select(*reading.JOURNEY_COLUMNS)
        .where(JOURNEY.c.contact == contact.number, JOURNEY.c.flow == number)
        .order_by(JOURNEY.c.id.desc())
        .limit(1)
    )
    row = tx.execute(statement).first()
    if row is None:
        return None
    journey = rows.read_journey(row, flow)
    return journey.id, journey.entry, journey.values
