"""A message as MIME: what one email looks like on the wire. Pure; the time is an argument.

One recipient a message. Whatever a contact's name or a template brings, a header stays the one line it is.

The few headers and the two bodies are put together here from the standard library's encoders. Its
`EmailMessage` would take 6 ms instead of 0.6, draws its boundaries at random, and turns an address too long
for a line into encoded words, which no mail program undoes in `List-Unsubscribe`. The tests read every
message back with its parser.
"""

from __future__ import annotations

import re
from binascii import b2a_qp
from dataclasses import dataclass, field
from email.header import Header
from email.utils import format_datetime, quote
from hashlib import blake2b
from typing import TYPE_CHECKING

from tactful.engine.addresses import email_address
from tactful.engine.channels.plain_text import one_line, plain_text
from tactful.engine.instants import moment

if TYPE_CHECKING:
    from tactful.engine.channels import Outgoing

# fmt: off
_OURS = frozenset({
    "from", "to", "cc", "bcc", "sender", "reply-to", "subject", "date", "message-id", "mime-version",
    "auto-submitted", "return-path", "received",
})
# fmt: on
_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,70}")
_LONGEST_LINE = 900  # 998 are allowed (RFC 5322, 2.1.1), the header's name included


@dataclass(frozen=True, slots=True)
class Email:
    """One email as it is handed over: the envelope, and the bytes, lines ending in CRLF.

    `international` says that an address has letters beyond ASCII before the @, which a server must know to
    take (SMTPUTF8).
    """

    sender: str
    recipient: str = field(repr=False)
    data: bytes = field(repr=False)
    international: bool


def compose(message: Outgoing) -> Email:
    """The email of a message: the same bytes for the same message. Without `text`, one is made of the `html`.

    Raises ValueError where that cannot be an email: an address that is none, neither text nor html, a header
    that is not one line or not the caller's to set.
    """
    settings = message.settings
    sender, recipient = email_address(message.sender), email_address(message.destination)
    html, text = message.parts.get("html"), message.parts.get("text")
    headers = [
        ("From", _mailbox(sender, settings.name or "")),
        ("To", recipient),
        ("Subject", _words("Subject", one_line(message.parts.get("subject", "")))),
        ("Date", format_datetime(moment(message.at))),
        ("Message-ID", _verbatim("Message-ID", message.message_id)),
        # Out-of-office replies would otherwise come back and count as answers (RFC 3834).
        ("Auto-Submitted", "auto-generated"),
        *([("Reply-To", settings.reply_to)] if settings.reply_to else []),
        *((name, _added(name, value)) for name, value in message.headers.items()),
        ("MIME-Version", "1.0"),
    ]
    if html is None:
        if text is None:
            raise ValueError("an email needs `html` or `text`")
        body = _body("plain", text)
    else:
        # `=_` cannot occur in quoted-printable, so no boundary made with it occurs in a body.
        boundary = "=_" + blake2b(message.message_id.encode(), digest_size=12).hexdigest()
        headers.append(("Content-Type", f'multipart/alternative; boundary="{boundary}"'))
        separator = f"--{boundary}\r\n".encode()
        parts = (_body("plain", plain_text(html) if text is None else text), _body("html", html))
        body = b"\r\n" + b"".join(separator + part for part in parts) + f"--{boundary}--\r\n".encode()
    head = "".join(f"{name}: {value}\r\n" for name, value in headers).encode()
    return Email(sender, recipient, head + body, international=not (sender + recipient).isascii())


def _mailbox(address: str, name: str) -> str:
    name = one_line(name)
    if not name:
        return address
    spelt = f'"{quote(name)}"' if name.isascii() and "=?" not in name else _words("From", name)
    return f"{spelt}\r\n <{address}>"


def _words(header: str, text: str) -> str:
    """Text as a header's value: as it is where that is ASCII, else as encoded words (RFC 2047), folded."""
    plain = text.isascii() and "=?" not in text and all(len(word) < 76 for word in text.split(" "))
    encoded = Header(text, "us-ascii" if plain else "utf-8", header_name=header)
    return encoded.encode(splitchars=" ", linesep="\r\n")


def _added(name: str, value: str) -> str:
    if not _HEADER_NAME.fullmatch(name) or name.lower() in _OURS or name.lower().startswith("content-"):
        raise ValueError(f"{name!r} is not a header to be added")
    return _verbatim(name, value) if value.isascii() else _words(name, one_line(value))


def _verbatim(name: str, value: str) -> str:
    if not value.isascii() or not value.isprintable() or len(value) > _LONGEST_LINE:
        raise ValueError(f"the value of {name} is not one line of text")
    return value


def _body(kind: str, text: str) -> bytes:
    """A part with its own headers. Quoted-printable is readable, and spam filters dislike base64."""
    # Ends of lines in one spelling, a last one, and no NUL, which mail may not contain.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").rstrip("\n") + "\n"
    encoded = b2a_qp(lines.replace("\n", "\r\n").encode(), istext=True)
    head = f'Content-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
    return head.encode() + encoded
