"""Who may call, how often, how much and how slowly; and that every error is a problem."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI

from tactful.engine.api.app import create_app, create_public_app, create_watch_app
from tactful.engine.api.health_routes import health_routes
from tactful.engine.api.keys import BadKey, Keys, keys_of
from tactful.engine.api.limits import Bodies, Crowd, Rates, Refusals
from tactful.engine.api.server import CannotListen, Serving
from tactful.engine.clock import SetClock
from tactful.engine.http_options import Http, HttpLimits, KeyOptions
from tactful.engine.project import NotSet
from tactful.engine.senders import Secret
from tactful.engine.store.database import StoreError

from .conftest import CLOCK, KEY, LISTENER, Shop, refused

NEW_SHOP = Callable[..., Shop]
ONE_EVENT = {"events": [{"name": "began", "contact": "ana"}]}
JSON = {"content-type": "application/json"}


@pytest.fixture
def says() -> Iterator[list[Any]]:
    """What the log says."""
    with structlog.testing.capture_logs() as said:
        yield said


# --- keys


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": f"Bearer {KEY}x"},
        {"authorization": f"Bearer {KEY[:-1]}"},
        {"authorization": f"Basic {KEY}"},
        {"authorization": KEY},
        [("authorization", f"Bearer {KEY}"), ("authorization", f"Bearer {KEY}")],
        {"x-api-key": KEY},
    ],
)
@pytest.mark.parametrize("path", ["/v1/do-not-contact", "/v1/journeys/1", "/v1/no-such-thing"])
def test_without_a_key_of_ours_nothing_is_told(shop: Shop, headers: dict[str, str], path: str) -> None:
    answer = shop.client(None).get(path, headers=headers)
    assert refused(answer, 401)["detail"] == "bring an API key: `Authorization: Bearer KEY`"
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_key_may_do_what_its_scopes_say_and_no_more(shop: Shop) -> None:
    client = shop.client(LISTENER)
    assert client.post("/v1/events", json=ONE_EVENT).json()["learnt"] == 1
    for answer in (
        client.get("/v1/do-not-contact"),
        client.post("/v1/do-not-contact", json={"entries": [{"destination": "ana@example.com"}]}),
        client.delete("/v1/do-not-contact", params={"destination": "ana@example.com", "reason": "asked"}),
        client.get("/v1/do-not-contact/explain", params={"destination": "ana@example.com", "channel": "email"}),
        client.post("/v1/contacts", json={"contacts": [{"id": "x"}]}),
        client.post("/v1/inbound", json={"sender": "x", "from": "y", "text": "STOP"}),
        client.post("/v1/flows/note/journeys", json={"contacts": ["ana"]}),
        client.delete("/v1/flows/note/journeys", params={"contact": "ana"}),
        client.get("/v1/journeys/1"),
    ):
        assert "scope" in refused(answer, 403)["detail"]
        assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


def keyed(**envs: str) -> Http:
    return Http(
        keys=tuple(KeyOptions(name=name, key=Secret(env=env), scopes=("events",)) for name, env in envs.items())
    )


@pytest.mark.parametrize(
    ("environ", "error", "says"),
    [
        ({}, NotSet, "the environment variable A, the API key `one`, is not set"),
        ({"A": "x" * 23}, BadKey, "the API key `one` has fewer than 24 characters"),
        ({"A": "x" * 23 + "é"}, BadKey, "the API key `one` has a blank or a letter"),
        ({"A": "x" * 23 + " x"}, BadKey, "the API key `one` has a blank or a letter"),
        ({"A": "x" * 24, "B": "x" * 24}, BadKey, "the API keys `one` and `two` are one and the same"),
    ],
)
def test_a_key_that_is_no_good_is_refused_at_the_start(
    environ: dict[str, str], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says) as told:
        keys_of(keyed(one="A", two="B"), environ)
    assert "xxx" not in str(told.value)


# --- requests that are none


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", JSON, 400),
        (b"\xff", JSON, 400),
        (b'{"events": NaN}', JSON, 400),
        (b'{"events": [], "events": []}', JSON, 400),
        (b"[" * 100_000, JSON, 400),
        (b'{"events": ' + b"9" * 5_000 + b"}", JSON, 400),
        (b"{}", {}, 415),
        (b"{}", {"content-type": "text/plain"}, 415),
        (b"events=1", {"content-type": "application/x-www-form-urlencoded"}, 415),
        (b"", JSON, 422),
        (b"[]", JSON, 422),
        (b'{"\\ud800": 1}', JSON, 422),
    ],
)
def test_what_is_no_json_is_refused(client: httpx.Client, body: bytes, headers: dict[str, str], status: int) -> None:
    refused(client.post("/v1/events", content=body, headers=headers), status)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/do-not-contact", "DELETE, GET, POST"),
        ("GET", "/v1/events", "POST"),
        ("HEAD", "/v1/flows/note/journeys", "DELETE, POST"),
        ("OPTIONS", "/health", "GET"),
    ],
)
def test_a_method_that_is_none_here_is_told_which_there_are(
    client: httpx.Client, method: str, path: str, allowed: str
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    assert answer.headers["content-type"] == "application/problem+json"


def test_what_is_no_http_is_a_problem_too(shop: Shop) -> None:
    with socket.create_connection(shop.serve()) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n")
        said = all_of(line)
    assert said.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in said


def all_of(line: socket.socket) -> bytes:
    """What comes until the other side closes."""
    line.settimeout(20)
    said = b""
    while more := line.recv(65_536):
        said += more
    return said


# --- how much


def chunks(bytes_each: int, number: int) -> Iterator[bytes]:
    for _ in range(number):
        yield b" " * bytes_each


def test_a_body_that_is_too_large_is_refused_however_it_comes(new_shop: NEW_SHOP) -> None:
    client = new_shop("  limits: {megabytes: 1}\n").client()
    refused(client.post("/v1/events", content=b" " * 1_000_001, headers=JSON), 413)
    refused(client.post("/v1/events", content=chunks(100_000, 11), headers=JSON), 413)
    refused(client.post("/v1/events", content=chunks(100_000, 9), headers=JSON), 400)  # blanks: it was read
    assert client.post("/v1/events", json=ONE_EVENT).status_code == 200


def test_who_comes_too_often_with_a_key_is_told_when_to_come_again(new_shop: NEW_SHOP) -> None:
    shop = new_shop("  limits: {per_key: 3}\n")
    client = shop.client(LISTENER)
    for _ in range(3):
        assert client.post("/v1/events", json=ONE_EVENT).status_code == 200
    answer = client.post("/v1/events", json=ONE_EVENT)
    refused(answer, 429)
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    others = client.get("/v1/do-not-contact", headers={"authorization": f"Bearer {KEY}"})
    assert others.status_code == 200, "another key has its own"


def test_no_minute_has_more_requests_than_are_allowed() -> None:
    clock = SetClock(0)
    rates = Rates(HttpLimits(per_key=3, per_address=2), clock)
    let_in: list[int] = []
    for second in range(300):
        if second % 7:
            clock.set(second * 1000)
            refused = rates.key("shop")
            if refused is None:
                let_in.append(second)
            else:
                assert refused.headers == {"retry-after": str(let_in[-3] + 60 - second)}
    assert let_in == [1, 2, 3, 61, 62, 64, 121, 122, 124, 181, 183, 184, 241, 243, 244]
    assert rates.key("till") is None, "another key has its own"
    assert [rates.address(each) is None for each in ("10.0.0.1", "10.0.0.1", "10.0.0.1")] == [True, True, False]
    clock.advance(60_000)
    assert rates.address("10.0.0.1") is None


def test_who_tries_keys_is_slowed_down_and_those_who_have_one_are_not(new_shop: NEW_SHOP) -> None:
    client = new_shop("  limits: {per_address: 3}\n").client()
    wrong = {"authorization": "Bearer guess"}
    answers = [client.get("/v1/journeys/1", headers=wrong).status_code for _ in range(5)]
    assert answers == [401, 401, 401, 429, 429]
    refused(client.get("/health"), 429)
    assert client.post("/v1/events", json=ONE_EVENT).status_code == 200


# --- how slowly


def test_a_head_that_never_ends_is_given_up(shop: Shop) -> None:
    address = shop.serve(head_seconds=0.2)
    with socket.create_connection(address) as silent, socket.create_connection(address) as slow:
        slow.sendall(b"GET /health HTTP/1.1\r\nHost:")
        assert all_of(silent) == b""
        assert all_of(slow) == b""


def test_a_head_that_never_ends_after_a_request_is_given_up_as_well(shop: Shop) -> None:
    with socket.create_connection(shop.serve(head_seconds=0.2)) as line:
        line.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert line.recv(65_536).startswith(b"HTTP/1.1 200 ")
        line.sendall(b"GET /health HTTP/1.1\r\n")
        assert b"HTTP/1.1" not in all_of(line)


def with_other(app, kind: type, **settings: Any) -> None:
    """Have one of its limits be another."""
    app.user_middleware = [each for each in app.user_middleware if each.cls is not kind]
    app.add_middleware(kind, **settings)


def test_a_body_that_never_ends_is_given_up(shop: Shop) -> None:
    app = shop.app()
    with_other(app, Bodies, most_bytes=1_000_000, body_seconds=0.2)
    with socket.create_connection(shop.serve(app)) as line:
        line.sendall(
            f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{".encode()
        )
        assert all_of(line).startswith(b"HTTP/1.1 408 ")


def held_up(app: FastAPI, path: str = "/slow") -> tuple[threading.Event, threading.Event]:
    """An endpoint that waits; the events say that somebody came, and let them go on."""
    came, go_on = threading.Event(), threading.Event()

    def wait() -> str:
        came.set()
        assert go_on.wait(20)
        return "done"

    app.add_api_route(path, wait)
    return came, go_on


@contextmanager
def one_under_way(app, client: httpx.Client) -> Iterator[None]:
    """While it is, and waits; in the end it is answered."""
    came, go_on = held_up(app)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(partial(client.get, "/slow"))
        assert came.wait(20)
        try:
            yield
        finally:
            go_on.set()
        assert first.result().json() == "done"


def test_one_too_many_at_once_is_asked_to_come_again(shop: Shop) -> None:
    app = shop.app()
    with_other(app, Crowd, most=1)
    client = shop.client(None, app)
    with one_under_way(app, client):
        answer = client.get("/health")
    refused(answer, 503)
    assert answer.headers["retry-after"] == "1"
    assert client.get("/health").status_code == 200


def test_who_takes_long_to_tell_gives_way_to_who_does_not(shop: Shop, says: list[dict[str, Any]]) -> None:
    app = shop.app()
    with_other(app, Crowd, most=2)
    address = shop.serve(app)
    with ExitStack() as open_lines:
        slow = [open_lines.enter_context(socket.create_connection(address)) for _ in range(5)]
        for line in slow:
            line.sendall(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + KEY.encode())
            line.sendall(b"\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
        for line in slow[:3]:
            assert all_of(line).startswith(b"HTTP/1.1 408 "), "those that came first"
        host, port = address
        for _ in range(2):
            with httpx.Client(base_url=f"http://{host}:{port}", headers={"authorization": f"Bearer {KEY}"}) as client:
                assert client.post("/v1/events", json=ONE_EVENT).status_code == 200
    assert [(each["event"][:27], each["times"]) for each in says] == [("too many requests at once; ", 1)], "once"


def test_an_opt_out_and_a_probe_are_answered_however_many_requests_are_under_way(shop: Shop) -> None:
    app: Any = create_app(shop.engine, shop.project, CLOCK, Keys(), watched=health_routes(shop.engine, CLOCK))
    with_other(app, Crowd, most=1)
    client = shop.client(None, app)
    asked = ("/o/1.1.nobody", "/healthz", "/readyz", "/metrics", "/health")
    with one_under_way(app, client):
        found = {path: client.get(path).status_code for path in asked}
    assert found == {"/o/1.1.nobody": 404, "/healthz": 200, "/readyz": 200, "/metrics": 200, "/health": 503}


def test_who_opens_connections_and_says_nothing_keeps_nobody_out(shop: Shop, says: list[dict[str, Any]]) -> None:
    address = host, port = shop.serve(most_connections=8)
    with ExitStack() as open_lines:
        silent = [open_lines.enter_context(socket.create_connection(address)) for _ in range(40)]
        with httpx.Client(base_url=f"http://{host}:{port}") as client:
            assert client.get("/health").status_code == 200
            assert [all_of(line) for line in silent[:32]] == [b""] * 32, "those that were silent for longest are closed"
            assert client.get("/health").status_code == 200, "and it is not who spoke"
        silent[-1].sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert silent[-1].recv(65_536).startswith(b"HTTP/1.1 200 ")
    assert [(each["event"][:21], each["times"]) for each in says] == [("too many connections;", 1)], "once"


def test_what_is_refused_is_said_once_a_minute(says: list[dict[str, Any]]) -> None:
    refusals = Refusals("too many")
    for second in range(150):
        refusals.one_more(float(second))
    assert [each["times"] for each in says] == [1, 61, 121]


def test_probes_on_an_address_of_their_own_are_not_counted_with_the_api(shop: Shop) -> None:
    client = shop.client(None, create_watch_app(health_routes(shop.engine, CLOCK)))
    assert [client.get(path).status_code for path in ("/healthz", "/readyz", "/metrics")] == [200, 200, 200]
    for path in ("/health", "/openapi.json", "/v1/do-not-contact"):
        refused(client.get(path), 404)


# --- faults of ours


def test_a_fault_of_ours_tells_nothing_of_itself(shop: Shop) -> None:
    app = shop.app()

    def fail() -> None:
        raise RuntimeError("the password is hunter2")

    app.add_api_route("/fails", fail)
    answer = shop.client(None, app).get("/fails")
    assert refused(answer, 500) == {"type": "about:blank", "title": "Internal Server Error", "status": 500}


def test_a_database_that_cannot_be_used_is_no_fault_of_the_caller(shop: Shop) -> None:
    app = shop.app()

    def fail() -> None:
        raise StoreError("the database /srv/shop/tactful.db cannot grow: the disk is full")

    app.add_api_route("/fails", fail)
    answer = shop.client(None, app).get("/fails")
    assert "srv" not in refused(answer, 503)["detail"]
    assert answer.headers["retry-after"] == "10"


# --- the server


def test_a_request_under_way_is_finished_before_the_server_ends(shop: Shop) -> None:
    app = shop.app()
    came, go_on = held_up(app)
    serving = Serving([(app, "127.0.0.1", 0)])
    with ThreadPoolExecutor(2) as pool:
        serving.__enter__()
        host, port = serving.addresses[0]
        answer = pool.submit(partial(httpx.get, f"http://{host}:{port}/slow", timeout=20))
        assert came.wait(20)
        left = pool.submit(serving.__exit__, None, None, None)
        go_on.set()
        assert answer.result().json() == "done"
        left.result(20)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{host}:{port}/health")


def test_a_port_that_is_taken_is_found_before_anything_runs(shop: Shop) -> None:
    host, port = shop.serve()
    with pytest.raises(CannotListen, match=rf"cannot listen on 127.0.0.1:{port}: .* in use"):
        Serving([(shop.app(), host, port)])


def test_public_pages_on_an_address_of_their_own_have_nothing_of_the_api(shop: Shop) -> None:
    client = shop.client(KEY, create_public_app(shop.engine, shop.project, CLOCK))
    refused(client.get("/health"), 404)
    refused(client.get("/openapi.json"), 404)
    refused(client.get("/v1/do-not-contact"), 401)


def test_answers_are_not_kept_by_anybody_and_are_what_they_say(client: httpx.Client) -> None:
    answer = client.get("/v1/do-not-contact")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "server" not in answer.headers
