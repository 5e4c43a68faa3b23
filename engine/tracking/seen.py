"""Pixels and links that are asked for, told to the engine: `opened` and `clicked` of a message, each once.

What only a machine asked for is told as `opened_by_machine` and `clicked_by_machine`, once a message. It ends no wait
for an opening, and moves no message on: a filter may look into a message while it is still being handed over, and then
refuse it. Of who asked nothing is kept, neither an address nor a user agent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog
from sqlalchemy import bindparam, select

from tactful.elements.contract import Instant, MessageKey
from tactful.engine.compose import Engine
from tactful.engine.incoming import Incoming
from tactful.engine.store import reading
from tactful.engine.store.database import StoreError
from tactful.engine.store.statements import MESSAGE, Query
from tactful.engine.tracking.machines import service, why_machine
from tactful.engine.tracking.memory import REMEMBERED, Memory
from tactful.engine.tracking.outgoing import LINK_TARGET
from tactful.engine.tracking.tokens import Tokens

OPENED, CLICKED = "opened", "clicked"
BY_MACHINE = "_by_machine"

IN_HAND_MS = 60_000
"""So long a message may be in a mail server's hands before that takes it; filters look into it meanwhile."""

_message = Query(
    select(MESSAGE.c.state, MESSAGE.c.taken_at, MESSAGE.c.sent_at, MESSAGE.c.sender).where(
        MESSAGE.c.journey == bindparam("journey"), MESSAGE.c.step == bindparam("step")
    ),
    "journey", "step",
)  # fmt: skip


class _Sent(NamedTuple):
    """What is asked of a message, in the order `_message` has it."""

    state: str
    taken_at: Instant | None
    sent_at: Instant | None
    sender: str


_target = Query(select(LINK_TARGET.c.url).where(LINK_TARGET.c.id == bindparam("id")), "id")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: its method, its headers with names in lower case, and when it came."""

    method: str
    at: Instant
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class _Act:
    """An opening, or a click on the link `target`, which leads to `url`."""

    name: str
    message: MessageKey
    target: int | None = None
    url: str | None = None

    @property
    def key(self) -> str:
        """Under this it is told once."""
        return f"seen {self.name} {self.message}" + ("" if self.target is None else f" {self.target}")

    @property
    def machines_key(self) -> str:
        """Under this it is told once for all machines."""
        return f"seen {self.name}{BY_MACHINE} {self.message}"


class Seen:
    """Tells the engine of what is asked for. Safe to call from several threads, and as often as anybody likes: what
    was told before is known from memory, or read, and never written again. `count_prefetched` are the senders for whose
    messages an image counts that was fetched though perhaps nobody looked."""

    def __init__(self, engine: Engine, count_prefetched: Collection[str] = ()) -> None:
        self._engine = engine
        self._count_prefetched = frozenset(count_prefetched)
        self._tokens = Tokens(engine.do_not_contact.keyring)
        self._told = Memory[str, bool](REMEMBERED)
        self._urls = Memory[int, str](REMEMBERED)
        self._followed = Memory[MessageKey, tuple[int, Instant]](REMEMBERED)

    def pixel(self, token: str, asked: Asked) -> None:
        """The pixel of this token is asked for. A `HEAD` is told to nobody."""
        message = self._tokens.read_open(token)
        if message is not None and asked.method == "GET":
            self._note(_Act(OPENED, message), asked)

    def link(self, token: str, asked: Asked) -> str | None:
        """The link of this token is asked for: where it leads, None where we never wrote it. A `HEAD` is told to
        nobody."""
        click = self._tokens.read_click(token)
        url = None if click is None else self._url(click.target)
        if click is not None and url is not None and asked.method == "GET":
            self._note(_Act(CLICKED, click.message, click.target, url), asked)
        return url

    def _url(self, target: int) -> str | None:
        url = self._urls.get(target)
        if url is None:
            found = self._engine.store.look(_target, target)
            if not found:
                return None
            url = str(found[0][0])
            self._urls.put(target, url)
        return url

    def _note(self, act: _Act, asked: Asked) -> None:
        why = why_machine(asked.method, asked.headers)
        since_other = self._since_other_link(act, asked.at) if why is None else None
        if self._told.get(act.key if why is None else act.machines_key):
            return
        try:
            self._tell(act, asked, why, since_other)
        except StoreError:
            pass  # who asked gets their answer all the same
        except Exception:
            log.exception("an opening or a click could not be recorded", message=str(act.message), told=act.name)

    def _tell(self, act: _Act, asked: Asked, why: str | None, since_other: int | None) -> None:
        with self._engine.store.read() as tx:
            found = [_Sent._make(row) for row in _message.rows(tx, *act.message)]
            if not found:  # its journey is gone
                return
            if why is None:
                why = why_machine(asked.method, asked.headers, _since_sent(found[0], asked.at), since_other)
            if why is None and act.name == OPENED and found[0].sender not in self._count_prefetched:
                why = _fetched_ahead(asked)
            events = _events(act, asked, why)
            keys = {each.key for each in events if each.key is not None}
            new = keys - reading.keys_seen(tx, keys)
        if new:
            self._engine.teller.tell(events, asked.at)
        for key in keys:
            self._told.put(key, True)

    def _since_other_link(self, act: _Act, at: Instant) -> int | None:
        """How long ago another link of the message was followed, None where none was; this one is the last now."""
        if act.target is None:
            return None
        before = self._followed.get(act.message)
        self._followed.put(act.message, (act.target, at))
        return None if before is None or before[0] == act.target else at - before[1]


def _events(act: _Act, asked: Asked, why: str | None) -> list[Incoming]:
    """What is told of an act: by a machine, where there is a reason `why` it is one."""
    data = {} if act.url is None else {"url": act.url}
    if why is not None:
        return [Incoming(act.name + BY_MACHINE, message=act.message, data={**data, "why": why}, key=act.machines_key)]
    if act.name == CLICKED:  # who follows a link has opened the message
        opened = _Act(OPENED, act.message)
        return [Incoming(OPENED, message=act.message, key=opened.key),
                Incoming(CLICKED, message=act.message, data=data, key=act.key)]  # fmt: skip
    fetcher = service(asked.headers)
    return [Incoming(OPENED, message=act.message, data={"through": fetcher.who} if fetcher else {}, key=act.key)]


def _fetched_ahead(asked: Asked) -> str | None:
    """Why an image may have been fetched without anybody looking; None where there is no such reason."""
    fetcher = service(asked.headers)
    return f"fetched by {fetcher.who}, opened or not" if fetcher is not None and fetcher.prefetches else None


def _since_sent(message: _Sent, now: Instant) -> int | None:
    """How long ago a message was sent; 0 while it is being handed over."""
    if message.taken_at is None:
        return None
    if message.state == "sending" and now - message.taken_at < IN_HAND_MS:
        return 0
    return now - int(message.sent_at or message.taken_at)
