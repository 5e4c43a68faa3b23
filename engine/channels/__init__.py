"""What delivery and a connector say to each other: messages out, one outcome for each.

A connector is one file here. It carries out and reports, and decides nothing: whether a message may be
sent was settled in the transaction that took it from the outbox, whether to try again is settled by
what it reports. It never logs, and no `why` of its outcomes holds an address or a secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol

from tactful.engine.senders import ConsoleSender, InfobipSender, Secret, Sender, SmtpSender, TwilioSender

if TYPE_CHECKING:
    from tactful.elements.contract import Instant, Level, MessageKey


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message taken from the outbox, on its way out now.

    `parts` are the rendered texts by name (`subject`, `html`, `text`), `headers` what an email gets beside
    the usual ones (`List-Unsubscribe`). `message_id` is the same at every attempt, `at` is when this one was
    taken. `attempt_id` names the attempt (see there); None where nothing is ever repeated. What would identify a
    person stays out of its repr.
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
    attempt_id: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the message and answers for it from here. `provider_id` is its own name for it."""

    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The message certainly did not go out. `final`: nor ever will; else try later, `retry_after_ms` from now
    where the provider asked for that. `no_such_address`: because there is nobody at that address, nor will be.
    `down`: because the provider takes nothing at the moment, whatever the message, so the rest of a batch need not be
    tried."""

    why: str
    final: bool
    retry_after_ms: int | None = None
    no_such_address: bool = False
    down: bool = False


@dataclass(frozen=True, slots=True)
class Blocked:
    """The provider's own list forbids it: the message did not go out, nor may another. `source` names the list and its
    answer (`Twilio 21610`), `level` says for which senders it stands there."""

    why: str
    source: str
    level: Level


@dataclass(frozen=True, slots=True)
class Unknown:
    """The provider had the message in hand when the line went dead: nobody knows whether it goes out."""

    why: str


Outcome = Accepted | Refused | Blocked | Unknown


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

        password = None if settings.password is None else _secret(settings.password, "password", environ)
        return SmtpConnector(settings, password)
    if isinstance(settings, TwilioSender):
        from tactful.engine.channels.twilio import TwilioConnector

        return TwilioConnector(settings, _secret(settings.auth_token, "auth token", environ, in_header=True))
    assert isinstance(settings, InfobipSender)
    from tactful.engine.channels.infobip import InfobipConnector

    if settings.base_url is None or settings.api_key is None:
        missing = " and ".join(f"`{n}`" for n in ("base_url", "api_key") if getattr(settings, n) is None)
        raise NoConnector(f"to send through Infobip, it needs {missing} too; `via: console` shows what would be sent")
    api_key = _secret(settings.api_key, "API key", environ, in_header=True)
    told = settings.webhook_secret
    return InfobipConnector(settings, api_key, None if told is None else _secret(told, "webhook secret", environ))


def _secret(secret: Secret, what: str, environ: Mapping[str, str], *, in_header: bool = False) -> str:
    """A secret of a sender. Raises NoConnector, where it is not set, or cannot stand in the header it is sent in."""
    value = secret.value(environ)
    if not value:
        raise NoConnector(f"the environment variable {secret.env}, which holds the {what}, is not set")
    if in_header and not (value.isascii() and value.isprintable() and " " not in value):
        raise NoConnector(f"the environment variable {secret.env} holds characters that no {what} has")
    return value


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


def attempt_id(key: MessageKey, sender: str, entered_at: Instant, attempt: int) -> str:
    """The name of an attempt to send a message, such as `1204.3-1-9f86d081884c7d65`.

    It is the same again only where an attempt whose outcome is unknown is repeated: a provider that knows it sends the
    message once. `entered_at`, when the journey was entered, tells apart what two databases number alike.
    """
    digest = blake2b(f"{key} {sender} {entered_at}".encode(), digest_size=8).hexdigest()
    return f"{key}-{attempt}-{digest}"


_ADDRESS = re.compile(r"<[^<>@]+@[^<>@]+>|[^\s<>@]+@[^\s<>@]*\w|\+\d[\d\s().-]{5,}\d|\d{8,}")


_SHORTEST_NAME = 3
"""Characters of a name that is taken out of a text; one that is shorter is most often another word."""


def without_addresses(
    text: str, destination: str | None = None, *, login: str | None = None, secrets: Iterable[str] = ()
) -> str:
    """What a provider said, fit to be kept and shown: one line, at most 300 characters, no address.

    `secrets` are taken out wherever they stand, also within words; of names (the part of `destination` before its @,
    our own `login`) only whole words are.
    """
    for secret in secrets:
        text = text.replace(secret, "(secret)")
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if destination is not None and "@" not in destination:  # a number, or a device
        text = text.replace(destination, "(address)").replace(destination.removeprefix("+"), "(address)")
    text = _ADDRESS.sub("(address)", text)
    for name in (destination, login):
        local = (name or "").partition("@")[0]
        if len(local) >= _SHORTEST_NAME:  # "ana.kovac: no such user"
            text = re.sub(rf"(?<!\w){re.escape(local)}(?!\w)", "(address)", text, flags=re.IGNORECASE)
    return text if len(text) <= 300 else text[:299] + "…"
