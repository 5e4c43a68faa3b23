"""What delivery and a connector say to each other: messages out, one outcome for each.

A connector is one file here. It carries out and reports, and decides nothing: whether a message may be
sent was settled in the transaction that took it from the outbox, whether to try again is settled by
what it reports. It never logs, and no `why` of its outcomes holds an address or a secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol

from tactful.engine.senders import ConsoleSender, InfobipSender, Sender, SmtpSender

if TYPE_CHECKING:
    from tactful.elements.contract import Instant, MessageKey


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message taken from the outbox, on its way out now.

    `parts` are the rendered texts by name (`subject`, `html`, `text`), `headers` what an email gets beside
    the usual ones (`List-Unsubscribe`). `message_id` is the same at every attempt, `at` is when this one was
    taken. What would identify a person stays out of its repr.
    """

    key: MessageKey
    channel: str
    sender: str
    settings: Sender
    destination: str = field(repr=False)
    parts: Mapping[str, str] = field(repr=False)
    message_id: str
    at: Instant
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the message and answers for it from here. `provider_id` is its own name for it."""

    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The message certainly did not go out. `final`: nor ever will; else try later, `retry_after_ms` from now
    where the provider asked for that."""

    why: str
    final: bool
    retry_after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """The provider had the message in hand when the line went dead: nobody knows whether it goes out."""

    why: str


Outcome = Accepted | Refused | Unknown


class Connector(Protocol):
    """Carries messages to one provider. Safe to call from several threads."""

    def send(self, batch: Sequence[Outgoing]) -> Iterator[tuple[MessageKey, Outcome]]:
        """Send the messages in order; yield each one's outcome as it is known, exactly one a message.

        The next message is not begun before the outcome of the last was taken: what is not asked for is not
        sent. Trouble with the provider is an outcome; an exception is a fault of ours.
        """
        ...

    def close(self) -> None:
        """Let go of connections. Sending again afterwards opens new ones."""
        ...


class NoConnector(ValueError):
    """Nothing can be sent through these settings as they are; the message says why."""


def connect(settings: Sender, environ: Mapping[str, str] = os.environ) -> Connector:
    """The connector of a sender. Opens no connection yet; secrets are read from `environ` now.

    Raises NoConnector where a secret is not set, or the provider has no connector.
    """
    # A connector is imported by the first sender that needs it.
    if isinstance(settings, ConsoleSender):
        from tactful.engine.channels.console import ConsoleConnector

        return ConsoleConnector(settings.folder)
    if isinstance(settings, SmtpSender):
        from tactful.engine.channels.smtp import SmtpConnector

        password = None if settings.password is None else settings.password.value(environ)
        if settings.password is not None and not password:
            raise NoConnector(f"the environment variable {settings.password.env}, which holds the password, is not set")
        return SmtpConnector(settings, password)
    assert isinstance(settings, InfobipSender)
    raise NoConnector("there is no connector for `via: infobip` yet; `via: console` shows what would be sent")


def message_id(key: MessageKey, sender: str) -> str:
    """The Message-ID of a message: `<1204.3.9f86d081@acme.example>`, the same however often it is asked for.

    A sender without a domain gets one that cannot exist.
    """
    # The digest tells apart what two installations with the same domain number alike.
    digest = blake2b(f"{key} {sender}".encode(), digest_size=4).hexdigest()
    domain = sender.rpartition("@")[2] if "@" in sender else "tactful.invalid"
    if not domain.isascii():
        domain = domain.encode("idna").decode()
    return f"<{key}.{digest}@{domain.lower()}>"


_ADDRESS = re.compile(r"<[^<>@]+@[^<>@]+>|[^\s<>@]+@[^\s<>@]*\w|\+\d[\d\s().-]{5,}\d|\d{8,}")


def without_addresses(text: str, destination: str) -> str:
    """What a provider said, fit to be kept and shown: one line, at most 300 characters, no address."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    text = _ADDRESS.sub("(address)", text).replace(destination, "(address)")
    local, at, _ = destination.partition("@")
    if at and len(local) >= 3:  # "ana.kovac: no such user"
        text = re.sub(rf"(?<!\w){re.escape(local)}(?!\w)", "(address)", text, flags=re.IGNORECASE)
    return text if len(text) <= 300 else text[:299] + "…"
