"""Webhooks: others are told of every block and unblock, in the order of the history, each at least once.

A receiver reads along the history of the Do Not Contact list by its ids: a row says how far it has come. So nothing is
queued when the list changes, and whoever was away is told all of it later. Signed as Standard Webhooks says
(https://www.standardwebhooks.com): HMAC-SHA256 over id, time and body.
"""

from __future__ import annotations

import json
import os
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from hmac import digest
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog
from sqlalchemy import func, select, update

from tactful.elements.contract import Instant
from tactful.engine.backoff import BACKOFF
from tactful.engine.http_options import Webhook
from tactful.engine.instants import iso
from tactful.engine.optout.do_not_contact import ACT_COLUMNS, BLOCKED, Act, read_act
from tactful.engine.project import NotSet
from tactful.engine.rules.permission import ANY_SENDER
from tactful.engine.store.database import Store, StoreError
from tactful.engine.store.statements import BLOCK_ACT, insert_or, table
from tactful.engine.store.tables import WebhookRow

if TYPE_CHECKING:
    import httpx
    from sqlalchemy import Connection

    from tactful.engine.clock import Clock

BATCH = 50
"""Acts told before it is recorded how far that is: so many are told again after a crash."""

TIMEOUT_SECONDS = 15.0
LOOK_AGAIN_SECONDS = 30.0
STOP_SECONDS = 20.0

HOW_TO_MAKE_ONE = "echo whsec_$(openssl rand -base64 32)"

_WEBHOOK = table(WebhookRow)
_TOLD_OF = ("inbound", "message", "event", "flow", "version", "element", "journey", "contact")
"""What of the evidence is told: names and numbers, never what somebody wrote."""

log = structlog.get_logger()


class BadSecret(ValueError):
    """A webhook's secret that cannot be used; the message says which, and not the secret."""


def key_of(secret: str) -> bytes:
    """The key that a secret stands for: `whsec_` and 24 to 64 bytes in base64. Raises ValueError."""
    key = b64decode(secret.removeprefix("whsec_"), validate=True)
    if not 24 <= len(key) <= 64:
        raise ValueError("it stands for fewer than 24 or more than 64 bytes")
    return key


def signed(key: bytes, id: str, seconds: int, body: bytes) -> dict[str, str]:
    """The headers that go with a body: its id, when it is sent, and the signature over all three."""
    signature = b64encode(digest(key, f"{id}.{seconds}.".encode() + body, sha256)).decode()
    return {"webhook-id": id, "webhook-timestamp": str(seconds), "webhook-signature": f"v1,{signature}"}


def payload(act: Act) -> bytes:
    """What is told of an act."""
    of = act.block
    data = {
        "destination": of.destination,
        "channel": of.channel,
        "sender": of.sender or None,
        "level": "any_sender" if of.sender == ANY_SENDER else "this_sender",
        "covers": of.covers,
        "source": of.source,
        "reason": act.reason,
        "at": iso(act.at),
        **{name: act.evidence[name] for name in _TOLD_OF if name in act.evidence},
    }
    kind = "blocked" if act.what == BLOCKED else "unblocked"
    said = {"type": f"do_not_contact.{kind}", "timestamp": iso(act.at), "data": data}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a receiver (as it is `shown`) is behind: so many acts, why, and when it is told again."""

    receiver: str
    acts: int
    why: str | None
    due_at: Instant | None


def lags(tx: Connection, webhooks: Sequence[Webhook]) -> list[Lag]:
    """The receivers that do not take what they are told."""
    rows = {row.receiver: row for row in tx.execute(select(_WEBHOOK))}
    failing = [row for each in webhooks if (row := rows.get(each.url)) is not None and row.due_at is not None]
    return [
        Lag(
            shown(row.receiver),
            int(tx.scalar(select(func.count()).where(BLOCK_ACT.c.id > row.behind)) or 0),
            row.why,
            row.due_at,
        )
        for row in failing
    ]


class Receiver:
    """One receiver. Used by one thread at a time."""

    def __init__(self, store: Store, url: str, key: bytes, clock: Clock, client: httpx.Client) -> None:
        self.url = url
        self._store = store
        self._key = key
        self._clock = clock
        self._client = client

    def begin(self) -> None:
        """A receiver that is new begins at the present end of the history."""
        with self._store.write() as tx:
            end = select(func.coalesce(func.max(BLOCK_ACT.c.id), 0)).scalar_subquery()
            new = insert_or(tx.dialect.name, _WEBHOOK).values(receiver=self.url, behind=end, tries=0)
            tx.execute(new.on_conflict_do_nothing())

    def tell(self, stopping: Callable[[], bool] = lambda: False) -> float | None:
        """Tell the next acts, and record how far that went. Seconds until it should be called again: 0 where there may
        be more, None where there is nothing to tell."""
        now = self._clock.now()
        with self._store.read() as tx:
            row = tx.execute(select(_WEBHOOK).where(_WEBHOOK.c.receiver == self.url)).one()
            if row.due_at is not None and now < row.due_at:
                return float(row.due_at - now) / 1000
            found = tx.execute(
                select(*ACT_COLUMNS).where(BLOCK_ACT.c.id > row.behind).order_by(BLOCK_ACT.c.id).limit(BATCH)
            )
            acts = [read_act(each) for each in found]
        behind, why = row.behind, None
        for act in acts:
            if stopping():
                break
            why = self._failure(act)
            if why is not None:
                break
            behind = act.id
        if acts:
            self._record(row, behind, why)
        return 0.0 if acts else None

    def _record(self, row: Any, behind: int, why: str | None) -> None:
        tries = 0 if why is None else (row.tries if behind == row.behind else 0) + 1
        due_at = None if why is None else self._clock.now() + BACKOFF[min(tries, len(BACKOFF)) - 1]
        with self._store.write(shared=True) as tx:
            tx.execute(
                update(_WEBHOOK)
                .where(_WEBHOOK.c.receiver == self.url)
                .values(behind=behind, tries=tries, due_at=due_at, why=why)
            )
        if why is not None:
            log.warning("a webhook was not taken", receiver=shown(self.url), why=why, again=iso(due_at or 0))

    def _failure(self, act: Act) -> str | None:
        """Tell one act; why it was not taken, None where it was."""
        import httpx

        body = payload(act)
        headers = {
            "content-type": "application/json",
            **signed(self._key, f"dnc_{act.id}", self._clock.now() // 1000, body),
        }
        try:
            # What it answers is not read: nobody said how long that may be.
            with self._client.stream("POST", self.url, content=body, headers=headers) as answer:
                status = answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return f"it cannot be reached: {type(error).__name__}"
        return None if 200 <= status < 300 else f"it answered {status}"


class Webhooks:
    """All receivers, each with a thread of its own, so that a slow one keeps nobody else waiting.

    Raises NotSet and BadSecret.
    """

    def __init__(
        self, store: Store, webhooks: Sequence[Webhook], clock: Clock, environ: Mapping[str, str] = os.environ
    ) -> None:
        self._stopping = threading.Event()
        self._client = _client() if webhooks else None
        self._receivers = [
            Receiver(store, each.url, _key(each, environ), clock, self._client)
            for each in webhooks
            if self._client is not None
        ]
        self._woken = {each.url: threading.Event() for each in self._receivers}
        self._threads = [
            # A receiver that answers a byte a minute keeps no process from ending.
            threading.Thread(target=self._run, args=(each,), name=f"webhook {shown(each.url)}", daemon=True)
            for each in self._receivers
        ]

    def start(self) -> None:
        """Begin to tell them."""
        for receiver in self._receivers:
            receiver.begin()
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """There may be something to tell."""
        for woken in self._woken.values():
            woken.set()

    def stop(self) -> None:
        """Let what is being told at this moment be recorded, then stop."""
        self._stopping.set()
        self.wake()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(STOP_SECONDS)
        if self._client is not None:
            self._client.close()

    def _run(self, receiver: Receiver) -> None:
        woken = self._woken[receiver.url]
        while not self._stopping.is_set():
            woken.clear()
            try:
                wait = receiver.tell(self._stopping.is_set)
            except Exception as error:  # its thread must outlive its troubles; they are all logged
                if self._stopping.is_set():
                    return
                if not isinstance(error, StoreError):
                    log.exception("a webhook failed and is tried again soon", receiver=shown(receiver.url))
                self._stopping.wait(LOOK_AGAIN_SECONDS)
                continue
            if wait != 0:
                woken.wait(wait)


def shown(url: str) -> str:
    """A receiver's address as people are shown it: the server and the path, and nothing that may be a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _client() -> httpx.Client:
    import httpx

    return httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False, headers={"user-agent": "tactful"})


def _key(webhook: Webhook, environ: Mapping[str, str]) -> bytes:
    secret = webhook.secret.value(environ)
    if not secret:
        raise NotSet(f"the environment variable {webhook.secret.env}, a webhook's secret, is not set")
    try:
        return key_of(secret)
    except ValueError:
        raise BadSecret(
            f"the secret in {webhook.secret.env} is not `whsec_` and 24 to 64 bytes in base64; "
            f"make one: {HOW_TO_MAKE_ONE}"
        ) from None
