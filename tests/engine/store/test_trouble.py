"""Why a server cannot be used is said, and nothing of a password."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import make_url

from tactful.engine.store.database import StoreError, open_store

if TYPE_CHECKING:
    from tests.conftest import Server

SECRET = "s3cr3t"


def said_of(url: str) -> str:
    """What is said of a server that does not let us in."""
    with closing(open_store(url)) as store, pytest.raises(StoreError) as refused, store.read():
        pass
    assert SECRET not in str(refused.value)
    return str(refused.value)


def fatal(state: str, words: str) -> bytes:
    """How a server says no, in its own protocol."""
    body = b"".join(kind + text.encode() + b"\0" for kind, text in ((b"S", "FATAL"), (b"C", state), (b"M", words)))
    return b"E" + (len(body) + 5).to_bytes(4, "big") + body + b"\0"


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """The port of a server that answers whatever is asked with this, and hangs up."""

    def answers() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(1_000)
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answers)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize(
    ("answer", "sslmode", "says"),
    [
        (fatal("28P01", 'password authentication failed for user "ssl"'), "disable", "refuses the password"),
        (fatal("28000", 'no pg_hba.conf entry for host "10.0.0.1", user "a"'), "disable", "lets nobody in from here"),
        (fatal("53300", "sorry, too many clients already"), "disable", "as many connections as its server allows"),
        (fatal("57P03", "the database system is starting up"), "disable", "is going down or starting up"),
        (fatal("XX000", "something else"), "disable", "cannot be reached, or the connection broke"),
        (b"N", "require", "asks for TLS, and the server offers none"),
        (b"S", "require", "TLS with it failed"),
    ],
)
def test_why_a_server_lets_nobody_in(answer: bytes, sslmode: str, says: str) -> None:
    with answering(answer) as port:
        assert says in said_of(f"postgresql+psycopg://u:{SECRET}@127.0.0.1:{port}/d?sslmode={sslmode}")


@pytest.mark.parametrize("sslmode", ["disable", "prefer", "require"])
@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (
            b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
            "does not speak PostgreSQL; see both in its address",
        ),
        (b"220 mail.example ESMTP\r\n", "does not speak PostgreSQL; see both in its address"),
        (b"", "hangs up at once; is that PostgreSQL, and does it run?"),
    ],
)
def test_something_else_listens_there(answer: bytes, sslmode: str, says: str) -> None:
    with answering(answer) as port:
        assert says in said_of(f"postgresql+psycopg://u:{SECRET}@127.0.0.1:{port}/d?sslmode={sslmode}")


def test_something_else_listens_there_and_waits_to_be_told_more() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        said = said_of(f"postgresql+psycopg://u:{SECRET}@127.0.0.1:{port}/d?connect_timeout=2")
    assert "no answer came in time; see whether PostgreSQL listens" in said


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (f"pasword={SECRET}", "has an option `pasword`, which PostgreSQL does not know; did you mean `password`?"),
        (f"colour={SECRET}", "`colour`, which PostgreSQL does not know; PostgreSQL lists all"),
        (f"sslmode={SECRET}", "`sslmode` in its address has a value that PostgreSQL does not take; mend it"),
        (f"connect_timeout={SECRET}", "`connect_timeout` in its address has a value"),
        (f"keepalives={SECRET}", "`keepalives` in its address has a value"),
    ],
)
def test_an_option_of_the_address_is_wrong(option: str, says: str) -> None:
    said = said_of(f"postgresql+psycopg://u:{SECRET}@127.0.0.1:1/d?{option}")
    assert said.startswith("the database postgresql+psycopg://u:***@127.0.0.1:1/d cannot be opened: ")
    assert says in said


def test_nothing_listens_and_nobody_knows_the_host() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert "nothing listens at its host and port" in said_of(f"postgresql+psycopg://u:{SECRET}@127.0.0.1:{port}/d")
    assert "nobody knows the host" in said_of(f"postgresql+psycopg://u:{SECRET}@nowhere.invalid/d")
    assert "no server has its socket there" in said_of(f"postgresql+psycopg://u:{SECRET}@/d?host=/nowhere")


def test_what_is_missing_on_the_server(postgresql: Server) -> None:
    url = make_url(postgresql.new_database())
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as admin:
        admin.execute("CREATE ROLE shut_out NOLOGIN")
    for asked, says in (
        (url.set(database="nowhere"), "does not exist on its server; create it first (`createdb`)"),
        (url.set(username="nobody_there"), "has no such user"),
        (url.set(username="shut_out"), "lets its user not log in"),
    ):
        assert says in said_of(asked.render_as_string(hide_password=False))


def test_a_password_among_the_options_is_not_named_either() -> None:
    with closing(open_store(f"postgresql+psycopg://u@h/d?password={SECRET}&host=h2")) as store:
        assert store.name == "postgresql+psycopg://u@h/d?host=h2"
