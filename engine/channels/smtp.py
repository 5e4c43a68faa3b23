"""The connector for email over SMTP.

What may be said of a message depends on how far its transaction came:

    connect, EHLO, TLS, login   nothing was sent      trouble: try later, and so for the rest of the batch
    MAIL, RCPT, DATA            nothing was sent      4xx, or the line goes dead: try later;  5xx: never
    the text, up to its end     the server has it     2xx: accepted;  4xx: later;  5xx: never;  dead: unknown
"""

from __future__ import annotations

import re
import smtplib
import ssl
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Any

from tactful.engine.channels import Accepted, Outcome, Outgoing, Refused, Unknown, without_addresses
from tactful.engine.channels.email_message import Email, compose
from tactful.engine.senders import SmtpSender

if TYPE_CHECKING:
    from tactful.elements.contract import MessageKey

# 5xx, and yet not about the message: the server wants TLS or a login, or did not like the one it got.
_ABOUT_THE_LOGIN = frozenset({530, 534, 535, 538})
# What 550 means at RCPT with these (RFC 3463, RFC 7505): there is no such mailbox, it moved, its domain takes no mail.
# Bare, or with any other, it may as well be greylisting or a policy.
_NO_MAILBOX = re.compile(r"5\.1\.(?:1|6|10)(?![\d.])")
_QUEUED_AS = re.compile(r"(?:queued as |\bid=|^(?:\d\.\d\.\d )?ok:? )(?=\S*\d)([\w.-]{6,100})", re.IGNORECASE)
_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)


class SmtpConnector:
    """Sends emails to one mail server, one recipient a message, many messages a connection.

    A batch has one connection; batches sent from several threads have one each. Connections stay open for the
    next batch, as many as the settings allow, until `close`.
    """

    def __init__(self, settings: SmtpSender, password: str | None = None) -> None:
        self._settings = settings
        self._password = password
        self._secrets = () if password is None else _as_sent(settings.username or "", password)
        self._idle: list[smtplib.SMTP] = []
        self._lock = Lock()

    def send(self, batch: Sequence[Outgoing]) -> Iterator[tuple[MessageKey, Outcome]]:
        line: smtplib.SMTP | None = self._idle_line()
        down: Refused | None = None
        between_messages = True
        try:
            for message in batch:
                try:
                    email = compose(message)
                except ValueError as error:
                    yield message.key, Refused(without_addresses(str(error), message.destination), final=True)
                    continue
                if down is None and not (line is not None and _fresh(line)):
                    line, down = None, None
                    connected = self._connect()
                    if isinstance(connected, Refused):
                        down = connected  # and not tried again for each message, each time until the timeout
                    else:
                        line = connected
                if down is not None:
                    yield message.key, down
                    continue
                assert line is not None
                between_messages = False
                outcome = self._transact(line, email)
                between_messages = True
                yield message.key, outcome
        finally:
            if line is not None and not between_messages:
                line.close()  # interrupted: whatever was said on it next might become part of the message
            self._put_back(line)

    def close(self) -> None:
        with self._lock:
            lines, self._idle = self._idle, []
        for line in lines:
            _hang_up(line)

    def _idle_line(self) -> smtplib.SMTP | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _put_back(self, line: smtplib.SMTP | None) -> None:
        if line is None or line.sock is None:
            return
        with self._lock:
            if len(self._idle) < self._settings.connections:
                self._idle.append(line)
                return
        _hang_up(line)

    def _connect(self) -> smtplib.SMTP | Refused:
        """A connection ready for MAIL; or why there is none, which is never the message's fault."""
        settings = self._settings
        line: smtplib.SMTP | None = None
        doing = f"connect to {settings.host}:{settings.port}"
        try:
            line = self._dial()
            doing = f"agree with {settings.host}:{settings.port} on how to talk"
            # Our own address, in brackets, is what a client without a public name says (RFC 5321, 4.1.3); to
            # look the machine's name up, as smtplib would, may take seconds.
            address = line.sock.getsockname()[0] if line.sock else "127.0.0.1"
            line.local_hostname = f"[IPv6:{address}]" if ":" in address else f"[{address}]"
            line.ehlo_or_helo_if_needed()
            if settings.tls == "starttls":
                line.starttls(context=ssl.create_default_context())
                line.ehlo_or_helo_if_needed()
            if settings.username is not None and self._password is not None:
                doing = f"log in at {settings.host}:{settings.port}"
                line.login(settings.username, self._password)
            return line
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            if line is not None:
                line.close()
            return Refused(f"cannot {doing}: {self._reason(error)}", final=False, down=True)

    def _dial(self) -> smtplib.SMTP:
        settings = self._settings
        if settings.tls == "implicit":
            return _TlsLine(
                settings.host,
                settings.port,
                local_hostname="localhost",
                timeout=settings.timeout_seconds,
                context=ssl.create_default_context(),
            )
        return _Line(settings.host, settings.port, local_hostname="localhost", timeout=settings.timeout_seconds)

    def _transact(self, line: smtplib.SMTP, email: Email) -> Outcome:
        """Hand one email over. The connection is closed where nothing more can be known of its state."""
        options = ["BODY=8BITMIME", "SMTPUTF8"] if email.international else []
        if email.international and not line.has_extn("smtputf8"):
            return Refused("the mail server takes no address with letters beyond a-z before the @", final=True)
        if line.has_extn("size"):
            options.append(f"SIZE={len(email.data)}")
        try:
            code, said = line.mail(email.sender, options)
            if code == 250:
                code, said = line.rcpt(email.recipient)
                if code == 550 and _NO_MAILBOX.match(_text(said)):
                    return replace(self._refused(line, code, said, email), no_such_address=True)
            if code in (250, 251):  # 251: it forwards the message itself
                code, said = line.docmd("DATA")
            if code != 354:
                return self._refused(line, code, said, email)
        except (OSError, smtplib.SMTPException):
            line.close()
            return Refused("the connection broke before the message was handed over", final=False)
        try:
            line.send(_LEADING_DOT.sub(b"..", email.data) + b".\r\n")
            code, said = line.getreply()
        except (OSError, smtplib.SMTPException):
            line.close()
            return Unknown("the connection broke after the message was handed over")
        if 200 <= code < 300:
            queued = _QUEUED_AS.search(_text(said))
            return Accepted(queued[1] if queued else None)
        if 400 <= code < 600:
            return self._refused(line, code, said, email)
        line.close()
        return Unknown("the mail server's answer to the message made no sense")

    def _refused(self, line: smtplib.SMTP, code: int, said: bytes, email: Email) -> Refused:
        if code == 421 or not 400 <= code < 600:  # 421: it is about to hang up
            line.close()
        why = self._cleaned(f"{code} {_text(said)}", email.recipient)
        return Refused(why, final=500 <= code < 600 and code not in _ABOUT_THE_LOGIN)

    def _reason(self, error: Exception) -> str:
        """Why there is no connection, in words that hold no secret: a server might echo what it was sent."""
        match error:
            case smtplib.SMTPAuthenticationError() if error.smtp_code >= 500:
                return f"the server answered {error.smtp_code}; are username and password right?"
            case smtplib.SMTPResponseException():
                return self._cleaned(f"{error.smtp_code} {_text(error.smtp_error)}")
            case ssl.SSLCertVerificationError():
                return f"its certificate does not hold: {error.verify_message}"
            case TimeoutError():
                return f"no answer within {self._settings.timeout_seconds:g} seconds"
            case UnicodeError():
                return "there are characters in it that cannot be sent"
            case _:
                return self._cleaned(getattr(error, "strerror", None) or str(error) or type(error).__name__)

    def _cleaned(self, said: str, recipient: str | None = None) -> str:
        return without_addresses(said, recipient, login=self._settings.username, secrets=self._secrets)


class _Line(smtplib.SMTP):
    """A connection. Where the server hangs up after it refused a login, its answer is the reason, and not that the next
    way to log in found nobody there."""

    _refusal: smtplib.SMTPAuthenticationError | None = None

    def auth(self, *how: Any, **options: Any) -> tuple[int, bytes]:
        try:
            return super().auth(*how, **options)
        except smtplib.SMTPAuthenticationError as refusal:
            self._refusal = refusal
            raise
        except smtplib.SMTPServerDisconnected:
            if self._refusal is None:
                raise
            raise self._refusal from None


class _TlsLine(_Line, smtplib.SMTP_SSL):
    """The same, in TLS from its first byte."""


def _as_sent(username: str, password: str) -> tuple[str, ...]:
    """A password in each form in which it is sent, AUTH PLAIN's and AUTH LOGIN's, and as it is."""
    encoded = (b64encode(said.encode()).decode() for said in (f"\0{username}\0{password}", password))
    return (*encoded, password)


def _fresh(line: smtplib.SMTP) -> bool:
    """Whether a connection is there, with no transaction open. One that lay idle may be gone."""
    if line.sock is None:
        return False
    try:
        code, _ = line.rset()
    except (OSError, smtplib.SMTPException):
        line.close()
        return False
    if code != 250:
        line.close()
    return code == 250


def _text(said: bytes | str) -> str:
    return said if isinstance(said, str) else said.decode("utf-8", "replace")


def _hang_up(line: smtplib.SMTP) -> None:
    try:
        line.quit()
    except (OSError, smtplib.SMTPException):
        line.close()
