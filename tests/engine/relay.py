"""A way over TCP to a PostgreSQL server that listens on a socket of its own, which can be cut, or fall silent."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from select import select
from socketserver import BaseRequestHandler, ThreadingTCPServer

from sqlalchemy import make_url

_RESET = struct.pack("ii", 1, 0)  # closed so, a connection says that it was reset


class _Passing(BaseRequestHandler):
    """One connection, to its end."""

    server: Relay
    request: socket.socket

    def handle(self) -> None:
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        with self.request as caller, socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            server.connect(self.server.database_socket)
            self.server.callers.append(caller)
            to = {caller: server, server: caller}
            while True:
                for source in select([caller, server], [], [])[0]:
                    said = source.recv(65_536)
                    self.server.speaking.wait()
                    if not said:
                        return
                    to[source].sendall(said)


class Relay(ThreadingTCPServer):
    """`url` is the address of the same database, by this way."""

    def __init__(self, url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        at = make_url(url)
        by_this_way = at.set(host="127.0.0.1", port=self.server_address[1], query={})
        self.url = by_this_way.render_as_string(hide_password=False)
        self.database_socket = f"{at.query['host']}/.s.PGSQL.5432"
        self.callers: list[socket.socket] = []
        self.speaking = threading.Event()
        self.speaking.set()

    def fall_silent(self) -> None:
        """Pass on nothing any more. The kernel still says that all came: to it no connection is dead."""
        self.speaking.clear()

    def cut(self) -> None:
        """Break all connections."""
        self.speaking.set()
        for caller in self.callers:
            with suppress(OSError):  # it has ended
                caller.shutdown(socket.SHUT_RD)
        self.callers.clear()


@contextmanager
def relay_to(url: str) -> Iterator[Relay]:
    """A way to the database of an address."""
    with Relay(url) as relay:
        thread = threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield relay
        relay.shutdown()
        thread.join()
        relay.cut()
