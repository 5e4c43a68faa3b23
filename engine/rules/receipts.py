"""What a receipt tells of the message it is about.

Receipts come twice, out of order, and before the call that sent the message returned. So a message only ever
moves forward by one, and any event of a message proves that it went out, whatever was known of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tactful.elements.contract import Instant
from tactful.elements.options.channel import MESSAGE_EVENTS

SENT = "sent"
DELIVERED = "delivered"

_IN_HAND = frozenset({"sending", "unknown"})
_WAITING_AGAIN = frozenset({"queued", "held"})


@dataclass(frozen=True, slots=True)
class MessageStand:
    """A message as it stands. `unknowns` counts how often it was handed over and nobody knew the outcome,
    `taken_at` is when that was last, `destination` the address it was taken to be sent to."""

    contact: int
    element: str
    state: str
    unknowns: int
    taken_at: Instant | None
    channel: str
    sender: str
    destination: str | None


def received_state(event: str, message: MessageStand) -> str | None:
    """The state a message comes to by an event of its own; None where it stays as it is."""
    if event not in MESSAGE_EVENTS:
        return None
    went_out = message.state in _IN_HAND or (message.state in _WAITING_AGAIN and message.unknowns > 0)
    if event == DELIVERED and (went_out or message.state == SENT):
        return DELIVERED
    return SENT if went_out else None
