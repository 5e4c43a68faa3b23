"""What keeps one caller from taking all there is: how many requests, how large, how slow, how many at once.

All of it is ASGI, around the application, so that it holds for every route and for bodies that come in pieces.
"""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from ipaddress import ip_address
from secrets import token_bytes
from typing import TYPE_CHECKING

import structlog

from tactful.engine.api.keys import Keys, key_in, unknown_key
from tactful.engine.api.problem import Problem, response_to
from tactful.engine.api.public import TOLD_BY_GET
from tactful.engine.http_options import HttpLimits
from tactful.engine.outages import AGAIN_SECONDS

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from tactful.engine.clock import Clock

BODY_SECONDS = 30.0
"""How long the body of a request may take to come."""

ANSWER_SECONDS = 30.0
"""How long a caller may take to take a piece of the answer."""

MOST_AT_ONCE = 64
"""Requests under way. For one more, the one whose body has been coming for longest gives way; where all have come
whole, it is asked to come again."""

PRIVATE = "/v1/"
"""What begins so wants a key."""

NEVER_TOO_OFTEN = ("/o/", "/healthz")
"""What begins so is never refused for coming too often: mail programs press the button of RFC 8058 from few addresses,
and a no must arrive; and a probe that is refused has a healthy process killed."""

APART = ("/o/", "/healthz", "/readyz", "/metrics")
"""For what begins so, as many may be under way as for all the rest: whoever fills that refuses no opt-out, no probe."""

_BUCKETS = 4_096
_MINUTE = 60.0

log = structlog.get_logger()


class Refusals:
    """Says in the log that somebody was refused: once a minute at most, and how often it was so far."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._times = 0
        self._said_at = -AGAIN_SECONDS

    def one_more(self, now: float) -> None:
        """It happened again. `now` are seconds of a clock that only goes forward."""
        self._times += 1
        if now - self._said_at >= AGAIN_SECONDS:
            self._said_at = now
            log.warning(self._event, times=self._times)


class Rates:
    """How often keys and addresses may come, in any one minute."""

    def __init__(self, limits: HttpLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._salt = token_bytes(16)
        self._came: dict[str, deque[float]] = {}  # when each was let in within the last minute
        self._swept_at = clock.monotonic()

    def key(self, name: str) -> Problem | None:
        """A request with this key; why it may not be, None where it may."""
        return self._comes(f"key {name}", self._limits.per_key)

    def address(self, host: str) -> Problem | None:
        """A request without a key from this address; why it may not be, None where it may."""
        return self._comes(f"address {self._bucket(host)}", self._limits.per_address)

    def _bucket(self, host: str) -> int:
        """Addresses share a fixed number of windows, or whoever has many addresses would fill the memory. Who has
        one address of IPv6 has 2**64."""
        try:
            address = ip_address(host)
        except ValueError:
            network = host.encode()
        else:
            network = address.packed[:8] if address.version == 6 else address.packed
        return int.from_bytes(blake2b(network, key=self._salt, digest_size=4).digest()) % _BUCKETS

    def _comes(self, whose: str, most: int) -> Problem | None:
        now = self._clock.monotonic()
        if now - self._swept_at >= _MINUTE:
            self._swept_at = now
            self._came = {each: came for each, came in self._came.items() if now - came[-1] < _MINUTE}
        came = self._came.setdefault(whose, deque())
        while came and now - came[0] >= _MINUTE:
            came.popleft()
        if len(came) < most:
            came.append(now)
            return None
        after = str(max(1, math.ceil(came[0] + _MINUTE - now)))
        return Problem(429, "that is too many requests; wait, and tell more at once", headers={"retry-after": after})


class Door:
    """Lets in who may come: with a key to what is private, and not too often to all else."""

    def __init__(self, app: ASGIApp, keys: Keys, rates: Rates) -> None:
        self._app = app
        self._keys = keys
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        private = scope["path"].startswith(PRIVATE)
        key = key_in(scope, self._keys) if private else None
        if key is not None:
            refusal = self._rates.key(key.name)
            scope.setdefault("state", {})["key"] = key
        elif scope["path"].startswith(NEVER_TOO_OFTEN):
            refusal = None
        else:
            refusal = self._rates.address((scope.get("client") or ("",))[0])
            if refusal is None and private:
                refusal = unknown_key()
        if refusal is not None:
            await response_to(refusal)(scope, receive, send)
            return
        await self._app(scope, receive, _unkept(send) if private else send)


def _unkept(send: Send) -> Send:
    async def forward(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [each for each in message["headers"] if each[0] != b"cache-control"]
            message["headers"] = [*kept, (b"cache-control", b"no-store")]
        await send(message)

    return forward


class Bodies:
    """Bodies of so many bytes, in so much time; and answers that are taken."""

    def __init__(
        self, app: ASGIApp, most_bytes: int, body_seconds: float = BODY_SECONDS, answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        self._app = app
        self._most = most_bytes
        self._body_seconds = body_seconds
        self._answer_seconds = answer_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if int(declared) > self._most:
            await response_to(self._too_large())(scope, receive, send)
            return
        with suppress(_NotTaken):  # nobody is there to be told
            await self._app(scope, self._bounded(receive), self._taken(send))

    def _bounded(self, receive: Receive) -> Receive:
        give_up_at = asyncio.get_running_loop().time() + self._body_seconds
        got, more = 0, True

        async def bounded() -> Message:
            nonlocal got, more
            if not more:
                return await receive()  # the caller goes away, some time
            try:
                async with asyncio.timeout_at(give_up_at):
                    message = await receive()
            except TimeoutError:
                raise Problem(408, "the body took too long to come", headers={"connection": "close"}) from None
            if message["type"] == "http.disconnect":
                raise Problem(400, "the body did not come whole")
            got += len(message.get("body", b""))
            more = message.get("more_body", False)
            if got > self._most:
                raise self._too_large()
            return message

        return bounded

    def _taken(self, send: Send) -> Send:
        async def taken(message: Message) -> None:
            try:
                async with asyncio.timeout(self._answer_seconds):
                    await send(message)
            except TimeoutError:
                raise _NotTaken from None

        return taken

    def _too_large(self) -> Problem:
        mb = self._most // 1_000_000
        return Problem(413, f"a request has at most {mb} MB; send it in parts", headers={"connection": "close"})


class _NotTaken(Exception):
    """The caller does not take the answer."""


class _Request:
    """One under way; `waits` while a piece of its body is awaited."""

    waits: asyncio.Timeout | None = None

    def gives_way(self) -> bool:
        """Have it answered at once where its body did not come whole yet; whether it was so."""
        if self.waits is None or self.waits.expired():
            return False
        self.waits.reschedule(0)
        return True

    def kept_waiting(self, receive: Receive) -> Receive:
        more = True

        async def kept() -> Message:
            nonlocal more
            if not more:
                return await receive()  # the caller goes away, some time
            try:
                async with asyncio.timeout(None) as self.waits:
                    message = await receive()
            except TimeoutError:
                raise Problem(408, "the body took too long to come", headers={"connection": "close"}) from None
            finally:
                self.waits = None
            more = message.get("more_body", False)
            return message

        return kept


class Crowd:
    """So many requests at once. `changed` is called after each that may have changed something."""

    def __init__(self, app: ASGIApp, most: int = MOST_AT_ONCE, changed: Callable[[], None] = lambda: None) -> None:
        self._app = app
        self._most = most
        self._changed = changed
        self._under_way: defaultdict[str, dict[_Request, None]] = defaultdict(dict)  # in the order they came
        self._refusals = Refusals("too many requests at once; the slowest are given up, others asked to come again")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        under_way = self._under_way[next((each for each in APART if scope["path"].startswith(each)), "")]
        if len(under_way) >= self._most:
            self._refusals.one_more(asyncio.get_running_loop().time())
            slowest = next((each for each in under_way if each.gives_way()), None)
            if slowest is None:
                busy = Problem(503, "too many requests are under way; try again", headers={"retry-after": "1"})
                await response_to(busy)(scope, receive, send)
                return
            del under_way[slowest]
        request = _Request()
        under_way[request] = None
        status = 200

        async def noting(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, request.kept_waiting(receive), noting)
        finally:
            under_way.pop(request, None)
            may_change = scope["method"] not in ("GET", "HEAD") or scope["path"].startswith(TOLD_BY_GET)
            if may_change and status != 503:  # the database was away: nothing was committed
                self._changed()
