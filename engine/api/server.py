"""The HTTP server: uvicorn on sockets of ours, in a thread of its own beside the runner.

uvicorn closes a connection that is idle after an answer. One that never sends a whole head it would keep for ever, so
this closes it too; and where there are more connections than it keeps, uvicorn refuses whoever asks, so this closes the
one that has been silent for longest instead. Whoever opens hundreds and says nothing keeps nobody out, from whichever
address: behind a proxy all come from the same.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import h11
import structlog
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from tactful.engine.api.app import create_app, create_public_app, create_watch_app
from tactful.engine.api.keys import keys_of
from tactful.engine.api.limits import Refusals
from tactful.engine.api.problem import MEDIA_TYPE, written
from tactful.engine.http_options import Http
from tactful.engine.senders import HOW_TO_MAKE_A_SECRET

if TYPE_CHECKING:
    from starlette.routing import Route

    from tactful.engine.clock import Clock
    from tactful.engine.compose import Engine
    from tactful.engine.project import Project

HEAD_SECONDS = 10.0
"""How long the head of a request may take to come, from the first byte or from connecting."""

IDLE_SECONDS = 5
"""How long a connection may be idle between two requests."""

FINISH_SECONDS = 15
"""How long requests that are under way may take to be finished once the server is asked to stop."""

LONGEST_HEAD = 65_536
MOST_CONNECTIONS = 512
"""Connections that are kept open. For one more, the one that has waited longest for a head to come gives way."""

BACKLOG = 512

log = structlog.get_logger()


class CannotListen(OSError):
    """An address cannot be listened on; the message says which and why."""


class Serving:
    """Servers that run from entering to leaving. Leaving, they take no more connections, finish what is under way,
    and close. Should one end by itself, `died` is called.

    They listen from the beginning, so that a port that is taken is found before anything runs. Raises CannotListen.
    """

    def __init__(
        self,
        apps: Sequence[tuple[FastAPI, str, int]],
        died: Callable[[], None] = lambda: None,
        head_seconds: float = HEAD_SECONDS,
        most_connections: int = MOST_CONNECTIONS,
    ) -> None:
        self._died = died
        self._leaving = False
        self._threads: list[threading.Thread] = []
        self._servers: list[uvicorn.Server] = []
        self._sockets: list[socket.socket] = []
        self.addresses: list[tuple[str, int]] = []
        """Where they listen, in the order of the applications."""
        for app, host, port in apps:
            try:
                self._sockets.append(_listening(host, port))
            except CannotListen:
                self._close()
                raise
            self.addresses.append(self._sockets[-1].getsockname()[:2])
            self._servers.append(uvicorn.Server(_config(app, head_seconds, most_connections)))

    def __enter__(self) -> Self:
        for server, listener in zip(self._servers, self._sockets, strict=True):
            thread = threading.Thread(target=self._run, args=(server, listener), name="http")
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._leaving = True
        for server in self._servers:
            server.should_exit = True
        for thread in self._threads:
            thread.join()
        self._close()

    def _run(self, server: uvicorn.Server, listener: socket.socket) -> None:
        try:
            server.run(sockets=[listener])
        except BaseException:  # a thread's end: nobody else would hear of it
            log.exception("the HTTP server failed")
        if not self._leaving:
            log.error("the HTTP server ended, and with it everything")
            self._died()

    def _close(self) -> None:
        for each in self._sockets:
            each.close()


def serving(
    engine: Engine,
    project: Project,
    clock: Clock,
    *,
    changed: Callable[[], None] = lambda: None,
    died: Callable[[], None] = lambda: None,
    host: str | None = None,
    port: int | None = None,
    watched: Sequence[Route] = (),
) -> Serving:
    """The API of a project, and its public pages and probes where they have addresses of their own. `host` and `port`
    are those of the API, in place of the project's; `watched` are routes for whoever watches over it. Raises NotSet,
    BadKey and CannotListen."""
    http = project.http or Http()
    keys = keys_of(http)
    if not keys:
        log.warning(
            "no API key is configured, so the API answers 401",
            hint="make one, put it in an environment variable, and name that in tactful.yaml: "
            "http: {keys: [{name: shop, key: {env: NAME}, scopes: [events]}]}",
            make=HOW_TO_MAKE_A_SECRET,
        )
    api = create_app(engine, project, clock, keys, changed, () if http.watch else watched)
    apps = {"api": (api, host or http.host, http.port if port is None else port)}
    if http.public is not None:
        public = create_public_app(engine, project, clock, changed)
        apps["public pages"] = (public, http.public.host, http.public.port)
    if http.watch is not None:
        apps["probes"] = (create_watch_app(watched), http.watch.host, http.watch.port)
    found = Serving(list(apps.values()), died)
    for (at, number), what in zip(found.addresses, apps, strict=True):
        log.info("listening", what=what, address=f"http://{f'[{at}]' if ':' in at else at}:{number}")
    return found


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        found = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise CannotListen(f"cannot listen on {host}:{port}: {why}; name another with --host and --port") from None
    # Answers are two small writes: the second must not wait until the first was acknowledged. Connections inherit it.
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    found.setblocking(False)
    return found


def _config(app: FastAPI, head_seconds: float, most_connections: int) -> uvicorn.Config:
    class Protocol(_Impatient):
        seconds = head_seconds
        most = most_connections
        silent: ClassVar[dict[_Impatient, None]] = {}
        closed = Refusals("too many connections; those that are silent for longest are closed")

    return uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,  # the log goes where ours goes
        access_log=False,  # addresses of people stand in queries
        server_header=False,
        headers=[("x-content-type-options", "nosniff")],
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=FINISH_SECONDS,
        h11_max_incomplete_event_size=LONGEST_HEAD,
        log_level="error",  # its warnings are of requests that are none, a line each
        backlog=BACKLOG,
    )


class _Impatient(H11Protocol):
    """uvicorn's protocol, which waits for the head of a request only for so long, and on so many connections."""

    seconds: float
    most: int
    silent: ClassVar[dict[_Impatient, None]]  # those of one server that wait for a head, who has for longest first
    closed: Refusals
    _give_up: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most:
            self.closed.one_more(self.loop.time())
            next(iter(self.silent), self)._hang_up()
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_idle():
            self._wait_for_head()
        else:
            self._got_head()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_idle():
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._got_head()
        super().connection_lost(exc)

    def _is_idle(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # none before the first request
        return not self.transport.is_closing() and (cycle is None or cycle.response_complete)

    def _wait_for_head(self) -> None:
        if self._give_up is None:
            self._give_up = self.loop.call_later(self.seconds, self._hang_up)
            self.silent[self] = None

    def _got_head(self) -> None:
        if self._give_up is not None:
            self._give_up.cancel()
            self._give_up = None
            del self.silent[self]

    def _hang_up(self) -> None:
        self._got_head()
        self.timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        """As the original, which answers in plain text."""
        body = written(400, msg)
        headers = [("content-type", MEDIA_TYPE), ("content-length", str(len(body))), ("connection", "close")]
        parts: tuple[Any, ...] = (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        )
        for each in parts:
            self.transport.write(self.conn.send(each))
        self.transport.close()
