"""The connector for SMS over Twilio's HTTP API, `POST …/Messages.json`, and what its codes mean to us.

Twilio recognises no repeat: what was in hand when the line went dead is unknown.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from tactful.engine.channels import Accepted, Blocked, Outcome, Outgoing, Refused
from tactful.engine.channels.over_http import NOT_SENDABLE, Answer, Line, by_status, carry, sendable
from tactful.engine.senders import TwilioSender

if TYPE_CHECKING:
    from tactful.elements.contract import MessageKey

UNSUBSCRIBED = 21610
"""They answered STOP to this number, and Twilio keeps a list of its own for each."""

NOBODY = frozenset({21211, 21614, 30005})
"""No valid number, no mobile number, an unknown one."""

_ACCOUNT = frozenset({20003, 20404})
_LATER = frozenset({20429, 20503, 21611, 30001, 30002, 30008})
"""Too many at once, or a fault of theirs: not for ever. (30002: the account is suspended.)"""

_TAKEN = frozenset({"accepted", "scheduled", "queued", "sending", "sent", "delivered", "read"})
_NOT_TAKEN = frozenset({"failed", "undelivered", "canceled"})


class TwilioConnector:
    """Sends SMS through one account, one message a request."""

    def __init__(self, settings: TwilioSender, auth_token: str) -> None:
        login = b64encode(f"{settings.account_sid}:{auth_token}".encode()).decode()
        headers = {"Authorization": f"Basic {login}", "Content-Type": "application/x-www-form-urlencoded"}
        self._line = Line(settings.base_url, headers, [auth_token, login], settings.timeout_seconds)
        self._path = f"/2010-04-01/Accounts/{settings.account_sid}/Messages.json"
        self._settings = settings

    def send(self, batch: Sequence[Outgoing]) -> Iterator[tuple[MessageKey, Outcome]]:
        return carry(batch, self._post)

    def close(self) -> None:
        self._line.close()

    def _post(self, message: Outgoing) -> Outcome:
        text = sendable(message.parts["text"])
        if text is None:
            return NOT_SENDABLE
        asked = {"To": message.destination, "From": message.sender, "Body": text}
        if message.attempt_id is not None and self._settings.public_url is not None:
            asked["StatusCallback"] = receipts_url(self._settings.public_url, message.sender, message.attempt_id)
        answer = self._line.post(self._path, urlencode(asked).encode(), message.at)
        return self._outcome(answer, message) if isinstance(answer, Answer) else answer

    def _outcome(self, answer: Answer, message: Outgoing) -> Outcome:
        match answer:
            case Answer(status=200 | 201, said={"sid": str(sid), "status": str(status), **rest}):
                if status in _TAKEN:
                    return Accepted(sid)
                if status in _NOT_TAKEN:
                    return self._refused(rest.get("error_code"), f"{status} {rest.get('error_message')}", message)
            case Answer(status=400 | 403 | 404 | 409 | 422, said={"code": int(code), "message": text}):
                if code not in _ACCOUNT:
                    return self._refused(code, text, message)
            case Answer(status=status, said={"message": str(text)}):
                return by_status(answer, self._line.cleaned(f"{status} {text}", message.destination), _LOGIN)
        return by_status(answer, f"the provider answered {answer.status}", _LOGIN)

    def _refused(self, code: Any, text: Any, message: Outgoing) -> Outcome:
        why = self._line.cleaned(f"{code} {text}", message.destination)
        if code == UNSUBSCRIBED:
            return Blocked(why, f"Twilio {code}", "this_sender")
        return Refused(why, final=code not in _LATER, no_such_address=code in NOBODY)


_LOGIN = "`account_sid` with `auth_token`"


def receipts_url(public_url: str, sender: str, attempt_id: str) -> str:
    """Where Twilio tells what became of a message; it gives our own name of it back."""
    return f"{public_url}/providers/{quote(sender, safe='')}/receipts?{urlencode({'message': attempt_id})}"
