"""What Twilio tells us: what became of a message, and messages that came in; and whether it is Twilio. Pure."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from tactful.engine.channels.receipts import Became, NotUnderstood, Receipt, message_of
from tactful.engine.channels.twilio import NOBODY, UNSUBSCRIBED
from tactful.engine.optout.inbox import Inbound

_BECAME: dict[str, Became] = {
    "delivered": "delivered",
    "read": "delivered",
    "undelivered": "bounced",
    "failed": "rejected",
}
_PORTS = {"https": 443, "http": 80}


def receipt(told: Mapping[str, str], attempt_id: str | None) -> Receipt | None:
    """What a status callback says; None where that is nothing final, or not of a message of ours. `attempt_id` is the
    name of it that we sent along. Raises NotUnderstood."""
    status, sid = told.get("MessageStatus"), told.get("MessageSid")
    if not status or not sid:
        raise NotUnderstood("there is no `MessageStatus` or no `MessageSid`")
    message = message_of(attempt_id)
    if message is None or status not in _BECAME:
        return None
    became = _BECAME[status]
    written = told.get("ErrorCode", "")
    code = int(written[:9]) if became != "delivered" and written.isascii() and written.isdigit() else 0
    return Receipt(
        message,
        became,
        f"Twilio {code or status}",
        f"twilio {sid} {became} {code}",
        sid,
        told.get("To") or None,
        nobody=code in NOBODY,
        blocked="this_sender" if code == UNSUBSCRIBED else None,
    )


def inbound(told: Mapping[str, str]) -> Inbound:
    """A message that came in; `sender` is what was answered. Raises NotUnderstood."""
    sid, ours, theirs = told.get("MessageSid"), told.get("To"), told.get("From")
    if not sid or not ours or not theirs:
        raise NotUnderstood("there is no `MessageSid`, `To` or `From`")
    return Inbound(ours, theirs, told.get("Body", ""), key=f"twilio {sid}")


def signature(auth_token: str, url: str, told: Sequence[tuple[str, str]]) -> str:
    """The signature of a request with form values, as Twilio makes it (https://www.twilio.com/docs/usage/security):
    the address, then the values in the order of their names, each name before its value."""
    values = "".join(name + value for name, value in sorted(set(told)))
    return b64encode(hmac.digest(auth_token.encode(), (url + values).encode(), "sha1")).decode()


def is_signed(auth_token: str, url: str, told: Sequence[tuple[str, str]], signed: str) -> bool:
    """Whether Twilio signed this request; it is not always of one mind whether a usual port stands in the address."""
    given = signed.encode()
    return any(hmac.compare_digest(signature(auth_token, each, told).encode(), given) for each in _spellings(url))


def _spellings(url: str) -> list[str]:
    try:
        parts = urlsplit(url)
        port, usual = parts.port, _PORTS.get(parts.scheme)
    except ValueError:  # the name of the host is whatever a stranger says it is
        return []
    if usual is None or port not in (None, usual):
        return [url]
    bare = parts.netloc.removesuffix(f":{usual}")
    return [url.replace(parts.netloc, each, 1) for each in (bare, f"{bare}:{usual}")]
