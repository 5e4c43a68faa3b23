"""A provider of SMS on this machine: a real HTTP server that answers as it is told, also badly."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Say = Callable[["Handler"], None]


@dataclass(frozen=True)
class Asked:
    """A request as it came; `connection` tells apart over which one."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: int


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Provider

    def setup(self) -> None:
        self.server.connections += 1
        self.number = self.server.connections
        super().setup()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(Asked(self.path, dict(self.headers), body, self.number))
        (self.server.says.pop(0) if self.server.says else self.server.usually)(self)

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def answer(self, status: int, said: bytes, headers: Mapping[str, str]) -> None:
        """A whole answer."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(said)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said)


class Provider(ThreadingHTTPServer):
    """`says` are the next answers, `usually` the ones after them; `asked` is what came."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, usually: Say) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.usually = usually
        self.says: list[Say] = []
        self.asked: list[Asked] = []
        self.connections = 0
        self.over = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def stop(self) -> None:
        """Nobody listens any more, and those who wait are let go."""
        self.over.set()
        self.shutdown()
        self.server_close()
        self._thread.join()

    def handle_error(self, *_: Any) -> None:
        """What hangs up on purpose is no error."""


def says(status: int, said: object, **headers: str) -> Say:
    """An answer in JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.answer(status, json.dumps(said).encode(), named)


def says_raw(status: int, said: bytes, **headers: str) -> Say:
    """An answer in whatever."""
    return lambda handler: handler.answer(status, said, {n.replace("_", "-"): v for n, v in headers.items()})


def hangs_up(handler: Handler) -> None:
    """The whole request was read; no answer comes."""
    _reset(handler)


def hangs_up_halfway(handler: Handler) -> None:
    """The answer breaks off."""
    handler.send_response(201)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"messages": [')
    handler.wfile.flush()
    _reset(handler)


def says_no_http(handler: Handler) -> None:
    """Bytes that are no HTTP."""
    handler.wfile.write(b"\x00\x01 what is this?\r\n\r\n")
    handler.close_connection = True


def says_nothing(handler: Handler) -> None:
    """No answer, and the line stays open until all is over."""
    assert isinstance(handler.server, Provider)
    handler.server.over.wait(30)
    handler.close_connection = True


def floods(handler: Handler) -> None:
    """An answer without an end."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(64):
        handler.wfile.write(b" " * 4096)
    handler.close_connection = True


def _reset(handler: Handler) -> None:
    handler.close_connection = True
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
