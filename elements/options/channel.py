"""The channels, and what each can tell of its messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

MESSAGE_EVENTS: frozenset[str] = frozenset(
    {"opened", "clicked", "delivered", "replied", "bounced", "complained", "opted_out"}
)
"""The events a message may have after it was sent. All other names are a contact's own events."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to write to people.

    `address` says by what they are reached there: their email, their phone, or a device's push token.
    `reports` are those of `MESSAGE_EVENTS` the channel can report at all; a sender may report fewer.
    """

    name: str
    address: Literal["email", "phone", "push"]
    reports: frozenset[str]


CHANNELS: Mapping[str, Channel] = MappingProxyType(
    {
        channel.name: channel
        for channel in (
            Channel("email", "email", MESSAGE_EVENTS),
            # Nobody learns whether an SMS was opened: waiting for it would time out for every single contact.
            # A bounce is a provider's "undeliverable" after it had accepted the message.
            Channel("sms", "phone", frozenset({"delivered", "clicked", "replied", "bounced", "opted_out"})),
            Channel("whatsapp", "phone", MESSAGE_EVENTS - {"complained"}),
            # Push reports sent, delivered and opened; no one can answer a push message.
            Channel("push", "push", frozenset({"opened", "clicked", "delivered", "bounced", "opted_out"})),
        )
    }
)
"""The channels by name, in the order they are shown."""
