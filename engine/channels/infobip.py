"""The connector for SMS over Infobip's HTTP API, `POST /sms/3/messages`, and what its codes mean to us.

A message is named by us (`messageId`). Where an attempt whose outcome is unknown is repeated, it has the same name
again, and Infobip answers that it knows it: so it goes out once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tactful.engine.channels import Accepted, Blocked, Outcome, Outgoing, Refused
from tactful.engine.channels.over_http import NOT_SENDABLE, Answer, Line, by_status, carry, sendable
from tactful.engine.senders import InfobipSender

if TYPE_CHECKING:
    from tactful.elements.contract import Level, MessageKey

PATH = "/sms/3/messages"

# Groups of statuses.
ACCEPTED, PENDING, UNDELIVERABLE, DELIVERED, EXPIRED, REJECTED = 0, 1, 2, 3, 4, 5

DUPLICATE = 23
"""REJECTED_DUPLICATE_MESSAGE_ID: a message of that name is there already."""

BLOCKED_STATUS: dict[int, Level] = {
    10: "any_sender",  # REJECTED_DND: in their country's register of those who want no messages
    14: "any_sender",  # REJECTED_DESTINATION_BLOCKLISTED
}
BLOCKED_ERROR: dict[int, Level] = {
    573: "this_sender",  # EC_SC_BLOCKED_BY_END_USER: they asked their operator to
    603: "this_sender",  # EC_CONTENT_BLOCKED: they answered STOP
    2050: "any_sender",  # EC_DEST_ADDRESS_BLACKLISTED, as status 10
    2052: "any_sender",  # EC_BLACKLISTED_DESTINATIONADDRESS
    6003: "any_sender",  # EC_UNSUBSCRIBED_EMAIL_ADDRESS
}
NOBODY_STATUS = frozenset({8, 52})
"""REJECTED_PREFIX_MISSING, REJECTED_DESTINATION: no such number can be."""

NOBODY_ERROR = frozenset({1, 352, 3041})
"""EC_UNKNOWN_SUBSCRIBER, EC_INVALID_REQUEST_DESTINATION, EC_DEACTIVATED_LIST."""

_LATER = frozenset({12, 17, 20, 21, 100})
"""Out of credit, package expired, too many to this number, a fault of theirs: not for ever."""


class InfobipConnector:
    """Sends SMS through one account, one message a request."""

    def __init__(self, settings: InfobipSender, api_key: str, webhook_secret: str | None = None) -> None:
        assert settings.base_url is not None
        headers = {"Authorization": f"App {api_key}", "Content-Type": "application/json"}
        secrets = [api_key] if webhook_secret is None else [api_key, webhook_secret, quote(webhook_secret, safe="")]
        self._line = Line(settings.base_url, headers, secrets, settings.timeout_seconds)
        self._settings = settings
        self._webhook_secret = webhook_secret

    def send(self, batch: Sequence[Outgoing]) -> Iterator[tuple[MessageKey, Outcome]]:
        return carry(batch, self._post)

    def close(self) -> None:
        self._line.close()

    def _post(self, message: Outgoing) -> Outcome:
        text = message.parts["text"]
        if sendable(text) is None:
            return NOT_SENDABLE
        to: dict[str, Any] = {"to": message.destination.removeprefix("+")}
        asked: dict[str, Any] = {
            "sender": message.sender.removeprefix("+"), "destinations": [to], "content": {"text": text}
        }  # fmt: skip
        if message.attempt_id is not None:
            to["messageId"] = message.attempt_id
            asked["webhooks"] = {"callbackData": message.attempt_id, "contentType": "application/json"}
            if (url := receipts_url(self._settings, message.sender, self._webhook_secret)) is not None:
                asked["webhooks"]["delivery"] = {"url": url}
        answer = self._line.post(PATH, json.dumps({"messages": [asked]}).encode(), message.at)
        return self._outcome(answer, message) if isinstance(answer, Answer) else answer

    def _outcome(self, answer: Answer, message: Outgoing) -> Outcome:
        told = _told(answer.said) if 200 <= answer.status < 300 else None
        if told is None:
            return by_status(answer, self._why(answer, message), "`api_key`")
        group, id, name, provider_id = told
        if group in (ACCEPTED, PENDING, DELIVERED) or id == DUPLICATE:
            return Accepted(provider_id)
        why = self._line.cleaned(f"{name} ({id})", message.destination)
        if id in BLOCKED_STATUS:
            return Blocked(why, f"Infobip {id}", BLOCKED_STATUS[id])
        return Refused(why, final=id not in _LATER, no_such_address=id in NOBODY_STATUS)

    def _why(self, answer: Answer, message: Outgoing) -> str:
        match answer.said:
            case {"description": str(text)} | {"requestError": {"serviceException": {"text": str(text)}}}:
                return self._line.cleaned(f"{answer.status} {text}", message.destination)
        return f"the provider answered {answer.status}"


def receipts_url(settings: InfobipSender, sender: str, secret: str | None) -> str | None:
    """Where Infobip tells what became of a sender's messages; None where it cannot reach us."""
    if settings.public_url is None or secret is None:
        return None
    return f"{settings.public_url}/providers/{quote(sender, safe='')}/receipts?secret={quote(secret, safe='')}"


def _told(said: Any) -> tuple[int, int, str, str | None] | None:
    """The status of the one message that was sent: its group, id and name, and the message's own id."""
    match said:
        case {"messages": [{"status": {"groupId": int(group), "id": int(id), **status}, **message}]} if (
            ACCEPTED <= group <= REJECTED
        ):
            given = message.get("messageId")
            return group, id, str(status.get("name", "refused")), given if isinstance(given, str) else None
    return None
