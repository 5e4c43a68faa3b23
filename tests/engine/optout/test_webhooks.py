"""Webhooks to a real receiver on this machine, which checks them with the Standard Webhooks library."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from standardwebhooks import Webhook as Verifier

from tactful.engine.backoff import BACKOFF
from tactful.engine.clock import SetClock, SystemClock
from tactful.engine.compose import Engine, open_engine
from tactful.engine.daemon import Daemon
from tactful.engine.http_options import Webhook
from tactful.engine.optout.do_not_contact import Change, Entry
from tactful.engine.optout.webhooks import BadSecret, Receiver, Webhooks, key_of, lags, shown
from tactful.engine.project import NotSet, load_project
from tactful.engine.senders import Secret
from tactful.engine.store.statements import table
from tactful.engine.store.tables import WebhookRow

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
HOUR = 3_600_000


class Other:
    """Somebody who is told. `answers` are the statuses of the next answers; 200 after that."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.answers: list[int] = []
        self.came = threading.Event()
        other = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                said = Verifier(SECRET).verify(body, {name.lower(): value for name, value in self.headers.items()})
                status = other.answers.pop(0) if other.answers else 200
                other.ids.append(self.headers["webhook-id"])
                if 200 <= status < 300:
                    other.told.append(said)
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("location", other.url)
                self.send_header("content-length", "0")
                self.end_headers()
                other.came.set()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def other() -> Iterator[Other]:
    found = Other()
    yield found
    found.close()


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    with closing(open_engine(url)) as engine:
        yield engine


@pytest.fixture
def clock() -> SetClock:
    return SetClock(SystemClock().now())  # the library takes no old times


@contextmanager
def receiver_of(engine: Engine, url: str, clock: SetClock) -> Iterator[Receiver]:
    with httpx.Client(timeout=10) as client:
        receiver = Receiver(engine.store, url, key_of(SECRET), clock, client)
        receiver.begin()
        yield receiver


@pytest.fixture
def receiver(engine: Engine, other: Other, clock: SetClock) -> Iterator[Receiver]:
    with receiver_of(engine, other.url, clock) as receiver:
        yield receiver


def change(engine: Engine, clock: SetClock, *destinations: str, adds: bool = True, **more: Any) -> None:
    changes = [Change(adds, Entry(to, "all", "", "everything"), "a test", **more) for to in destinations]
    with engine.store.write() as tx:
        engine.do_not_contact.change(tx, changes, clock.now())


def all_told(receiver: Receiver) -> float | None:
    while (wait := receiver.tell()) == 0:
        pass
    return wait


def test_a_block_and_an_unblock_are_told_signed_and_in_order(
    engine: Engine, other: Other, receiver: Receiver, clock: SetClock
) -> None:
    evidence = {"inbound": 7, "text": "STOP it, you", "message": "12.3", "flow": "win-back", "version": 2}
    change(engine, clock, "ana@example.com", reason="said so", evidence=evidence)
    change(engine, clock, "ana@example.com", adds=False, reason="came back")
    assert all_told(receiver) is None
    blocked, unblocked = other.told
    at = blocked["timestamp"]
    assert blocked == {
        "type": "do_not_contact.blocked",
        "timestamp": at,
        "data": {
            "destination": "ana@example.com", "channel": "all", "sender": None, "level": "any_sender",
            "covers": "everything", "source": "a test", "reason": "said so", "at": at, "inbound": 7, "message": "12.3",
            "flow": "win-back", "version": 2,
        },
    }  # fmt: skip
    assert (unblocked["type"], unblocked["data"]["reason"]) == ("do_not_contact.unblocked", "came back")


def test_a_new_receiver_begins_at_the_present_end(engine: Engine, other: Other, clock: SetClock) -> None:
    change(engine, clock, "old@example.com")
    with receiver_of(engine, other.url, clock) as receiver:
        change(engine, clock, "new@example.com")
        all_told(receiver)
    change(engine, clock, "later@example.com")
    with receiver_of(engine, other.url, clock) as receiver:  # the same one, started again
        all_told(receiver)
    assert [each["data"]["destination"] for each in other.told] == ["new@example.com", "later@example.com"]


@pytest.mark.parametrize("status", [301, 400, 410, 500, 503])
def test_what_is_not_taken_is_told_again_later_and_keeps_its_place(
    engine: Engine, other: Other, receiver: Receiver, clock: SetClock, status: int
) -> None:
    change(engine, clock, "a@example.com", "b@example.com", "c@example.com")
    other.answers = [200, status]
    wait = all_told(receiver)
    assert wait == BACKOFF[0] / 1000
    assert [each["data"]["destination"] for each in other.told] == ["a@example.com"]
    with engine.store.read() as tx:
        (lag,) = lags(tx, [Webhook(url=other.url, secret=Secret(env="S"))])
    assert (lag.acts, lag.why, lag.due_at) == (2, f"it answered {status}", clock.now() + BACKOFF[0])
    clock.advance(BACKOFF[0])
    assert all_told(receiver) is None
    assert [each["data"]["destination"] for each in other.told] == ["a@example.com", "b@example.com", "c@example.com"]
    assert other.ids[1] == other.ids[2], "told again, it has the same id"
    with engine.store.read() as tx:
        assert lags(tx, [Webhook(url=other.url, secret=Secret(env="S"))]) == []


@pytest.mark.parametrize(
    "url", ["https://crm.acme.example/hook?token=4711", "https://a:4711@crm.acme.example/hook#4711"]
)
def test_nothing_of_an_address_shows_that_may_be_a_secret(url: str) -> None:
    assert shown(url) == "https://crm.acme.example/hook"


def test_a_receiver_that_lags_behind_is_told_of_without_secrets(engine: Engine, other: Other, clock: SetClock) -> None:
    url = f"{other.url}?token=4711"
    change(engine, clock, "a@example.com")
    other.answers = [500]
    with receiver_of(engine, url, clock) as receiver:
        change(engine, clock, "b@example.com")
        all_told(receiver)
    with engine.store.read() as tx:
        (lag,) = lags(tx, [Webhook(url=url, secret=Secret(env="S"))])
    assert lag.receiver == other.url


def test_the_waits_grow_to_half_a_day_and_never_end(engine: Engine, clock: SetClock) -> None:
    with receiver_of(engine, "http://127.0.0.1:9/hooks", clock) as receiver:  # nobody is there
        change(engine, clock, "a@example.com")
        waits = []
        for _ in range(len(BACKOFF) + 2):
            wait = all_told(receiver)
            assert wait is not None
            waits.append(wait * 1000)
            clock.advance(int(wait * 1000))
        assert waits == [*BACKOFF, 12 * HOUR, 12 * HOUR]
        with engine.store.read() as tx:
            why = tx.scalar(select(table(WebhookRow).c.why))
        assert why == "it cannot be reached: ConnectError"


def test_asked_to_stop_it_tells_no_more_and_forgets_nothing(
    engine: Engine, other: Other, receiver: Receiver, clock: SetClock
) -> None:
    change(engine, clock, "a@example.com", "b@example.com", "c@example.com")
    receiver.tell(lambda: len(other.told) == 2)
    assert len(other.told) == 2
    all_told(receiver)
    assert [each["data"]["destination"] for each in other.told] == ["a@example.com", "b@example.com", "c@example.com"]


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "hunter2", "whsec_" + base64.b64encode(b"x" * 23).decode(), "whsec_é"]
)
def test_a_secret_that_is_none_is_refused_at_the_start(engine: Engine, clock: SetClock, secret: str) -> None:
    webhook = Webhook(url="https://crm.acme.example/hooks", secret=Secret(env="HOOK"))
    with pytest.raises((NotSet, BadSecret), match="HOOK") as told:
        Webhooks(engine.store, [webhook], clock, {"HOOK": secret})
    assert "hunter2" not in str(told.value)


def test_the_daemon_tells_of_what_another_process_commits(
    tmp_path: Path, other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", SECRET)
    (tmp_path / "tactful.yaml").write_text(f"webhooks: [{{url: '{other.url}', secret: {{env: HOOK}}}}]\n")
    project, problems = load_project(tmp_path / "tactful.yaml")
    assert project is not None, problems
    mine, theirs = open_engine(project.database_url()), open_engine(project.database_url())
    daemon = Daemon(project, mine, SystemClock())
    beside = Beside()
    thread = threading.Thread(target=daemon.run, args=(beside,))
    thread.start()
    try:
        assert beside.begun.wait(20)
        change(theirs, SetClock(SystemClock().now()), "ana@example.com")
        assert other.came.wait(20)
    finally:
        daemon.stop()
        thread.join(20)
        mine.close()
        theirs.close()
    assert [each["data"]["destination"] for each in other.told] == ["ana@example.com"]


class Beside:
    """Runs beside a daemon, and knows when everything of it runs."""

    def __init__(self) -> None:
        self.begun = threading.Event()

    def __enter__(self) -> None:
        self.begun.set()

    def __exit__(self, *_: object) -> None:
        pass
