"""Where providers tell us what became of messages, and what people answered.

    POST /providers/{sender}/receipts     delivery reports of Infobip, status callbacks of Twilio
    POST /providers/{sender}/inbound      messages that came in

Twilio signs what it tells; Infobip shows a secret, as the password of basic authentication or as `?secret=` in the
address. Whoever does neither is told nothing. When a request is answered, what it told is committed; until then the
provider tells it again.
"""

from __future__ import annotations

import binascii
import hmac
import json
import os
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import structlog
from anyio import from_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tactful.engine.addresses import BadAddress, destination
from tactful.engine.channels import infobip_receipts, twilio_receipts
from tactful.engine.channels.receipts import NotUnderstood
from tactful.engine.clock import Clock
from tactful.engine.compose import Engine
from tactful.engine.optout.inbox import Inbound, inbox_of
from tactful.engine.project import Project
from tactful.engine.provider_receipts import follow_list, take_in
from tactful.engine.senders import InfobipSender, Secret, Sender, TwilioSender

LARGEST = 1_048_576
"""Bytes of a request: Infobip tells of a hundred messages at once, in less than a tenth of it."""

MOST_VALUES = 500

_Read = TypeVar("_Read")

log = structlog.get_logger()


def provider_routes(
    engine: Engine, project: Project, clock: Clock, environ: Mapping[str, str] = os.environ
) -> list[Route]:
    """The routes of a project's senders. Secrets are read from `environ` now."""
    desk = _Desk(engine, project, clock, environ)
    return [
        Route("/providers/{sender}/receipts", desk.receipts, methods=["POST"]),
        Route("/providers/{sender}/inbound", desk.inbound, methods=["POST"]),
    ]


class _Desk:
    """Takes in what providers tell of a project's senders."""

    def __init__(self, engine: Engine, project: Project, clock: Clock, environ: Mapping[str, str]) -> None:
        self._engine = engine
        self._region = project.region
        self._clock = clock
        self._inbox = inbox_of(engine, project)
        self._senders = project.senders or {}
        proofs = ((name, _proof(settings)) for name, settings in self._senders.items())
        self._secrets = {name: proof.value(environ) for name, proof in proofs if proof is not None}

    def receipts(self, request: Request) -> Response:
        sender, settings = self._sender(request)
        now = self._clock.now()
        if isinstance(settings, TwilioSender):
            told = self._from_twilio(request, sender, settings)
            found = _understood(lambda each: twilio_receipts.receipt(each, request.query_params.get("message")), told)
            take_in(self._engine, [] if found is None else [found], self._of_account(settings), now)
            return Response(status_code=204)
        results = _understood(infobip_receipts.receipts, self._from_infobip(request, sender))
        take_in(self._engine, results, self._of_account(settings), now)
        return Response()

    def inbound(self, request: Request) -> Response:
        sender, settings = self._sender(request)
        if isinstance(settings, TwilioSender):
            told = self._from_twilio(request, sender, settings)
            self._receive(_understood(twilio_receipts.inbound, told), sender, settings, told.get("OptOutType", ""))
            return Response("<Response/>", media_type="text/xml")  # no answer: a rule's own goes out by itself
        for each in _understood(infobip_receipts.inbound, self._from_infobip(request, sender)):
            self._receive(each, sender, settings)
        return Response()

    # --- who tells

    def _sender(self, request: Request) -> tuple[str, InfobipSender | TwilioSender]:
        name = request.path_params["sender"]
        settings = self._senders.get(name)
        if not isinstance(settings, InfobipSender | TwilioSender):
            raise HTTPException(404)
        return name, settings

    def _from_twilio(self, request: Request, sender: str, settings: TwilioSender) -> dict[str, str]:
        """The values of a request that Twilio signed."""
        body = _body(request)
        try:
            told = parse_qsl(
                body.decode(), keep_blank_values=True, strict_parsing=bool(body), errors="strict",
                max_num_fields=MOST_VALUES,
            )  # fmt: skip
        except ValueError:
            raise HTTPException(400, "these are no form values") from None
        token = self._secrets.get(sender)
        signed = request.headers.get("X-Twilio-Signature", "")
        if not token or not twilio_receipts.is_signed(token, _asked(request, settings.public_url), told, signed):
            log.warning("not signed by Twilio, or for another address", sender=sender)
            raise HTTPException(403)
        return dict(told)

    def _from_infobip(self, request: Request, sender: str) -> Any:
        """The JSON of a request that shows the secret."""
        secret = self._secrets.get(sender)
        shown = [_password(request.headers.get("Authorization", "")), request.query_params.get("secret", "")]
        if not secret or not any(hmac.compare_digest(each.encode(), secret.encode()) for each in shown):
            log.warning("without the secret of this sender", sender=sender)
            raise HTTPException(403)
        try:
            return json.loads(_body(request))
        except (ValueError, RecursionError):
            raise HTTPException(400, "this is no JSON") from None

    def _of_account(self, settings: InfobipSender | TwilioSender) -> dict[str, Sender]:
        """The senders of the same account: whoever may speak for one may speak for the others."""
        mine = _account(settings)
        return {name: each for name, each in self._senders.items() if _account(each) == mine}

    # --- messages that came in

    def _receive(
        self, told: Inbound, sender: str, settings: InfobipSender | TwilioSender, provider_did: str = ""
    ) -> None:
        """Take a message in. `provider_did` is what the provider did by itself on account of it: STOP or START."""
        mine = {name.removeprefix("+"): name for name in self._of_account(settings)}
        # One address may serve all numbers of an account. What names none of ours was still told of this one.
        answered = mine.get(told.sender.removeprefix("+"), sender)
        told, now = replace(told, sender=answered), self._clock.now()
        try:
            to = (destination("phone", told.address, self._region), settings.channel, answered)
            # A block comes before the message counts as received, for then nobody tells it again; an unblock after.
            if provider_did == "STOP" and self._inbox.look(told).decision != "block":
                follow_list(self._engine, to, "Twilio", "STOP", told.text, now)
            received = self._inbox.receive(told, now)
        except BadAddress:
            log.warning("a message from no address we could write to", sender=answered)
            return
        if provider_did == "START" and not received.known:
            follow_list(self._engine, to, "Twilio", "START", told.text, now)


def _proof(settings: Sender) -> Secret | None:
    """The secret by which a provider proves that it is it."""
    match settings:
        case TwilioSender():
            return settings.auth_token
        case InfobipSender():
            return settings.webhook_secret
    return None


def _account(settings: Sender) -> tuple[object, ...] | None:
    match settings:
        case TwilioSender():
            return settings.account_sid, settings.auth_token
        case InfobipSender():
            return settings.base_url, settings.api_key, settings.webhook_secret
    return None


def _asked(request: Request, public_url: str | None) -> str:
    """The address as the provider asked for it: what stands before us may have changed all up to our own part."""
    raw = request.scope["raw_path"].decode("latin-1")
    path = raw[raw.index("/providers/") :]
    query = request.scope["query_string"].decode("latin-1")
    base = public_url or str(request.base_url).rstrip("/")
    return f"{base}{path}{'?' if query else ''}{query}"


def _password(header: str) -> str:
    """The password of basic authentication; empty where there is none."""
    kind, _, written = header.partition(" ")
    if kind.lower() != "basic":
        return ""
    try:
        return b64decode(written, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def _understood(read: Callable[[Any], _Read], told: Any) -> _Read:
    try:
        return read(told)
    except NotUnderstood as error:
        raise HTTPException(400, str(error)) from None


def _body(request: Request) -> bytes:
    return from_thread.run(_read, request)


async def _read(request: Request) -> bytes:
    found = b""
    async for piece in request.stream():
        found += piece
        if len(found) > LARGEST:
            raise HTTPException(413)
    return found
