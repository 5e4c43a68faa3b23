"""`tactful serve` with the API, as a process of its own: what is answered is kept, and both end when asked to."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.engine.conftest import wait_until

from tactful.engine.moving import move
from tactful.engine.store import reading
from tactful.engine.store.database import open_store

from .conftest import CLOCK, ENVIRON, KEY, Shop

TACTFUL = "from tactful.engine.cli import main; main()"
ONE_EVENT = {"events": [{"name": "began", "contact": "ana", "id": "e-1"}]}


class Process:
    """`tactful serve`, and what it says."""

    def __init__(self, folder: Path, *options: str, environ: dict[str, str] = ENVIRON) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", TACTFUL, "serve", *options, "--project", folder],
            env={**os.environ, **environ}, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.log: list[dict[str, Any]] = []

    def until(self, event: str) -> dict[str, Any]:
        """Read on until it says this."""
        stuck = threading.Timer(60, self.process.kill)
        stuck.start()
        try:
            assert self.process.stderr is not None
            for line in self.process.stderr:
                if not line.startswith("{"):
                    raise AssertionError(line + self.process.stderr.read())
                self.log.append(json.loads(line))
                if self.log[-1]["event"] == event:
                    return self.log[-1]
        finally:
            stuck.cancel()
        raise AssertionError(f"it never said {event!r}: {self.log}")

    def client(self) -> httpx.Client:
        """A client of its API, once it listens."""
        address = self.until("listening")["address"]
        return httpx.Client(base_url=address, headers={"authorization": f"Bearer {KEY}"}, timeout=30)

    def end(self, by: int = signal.SIGTERM) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(by)
        code = self.process.wait(60)
        assert self.process.stderr is not None
        self.log += [json.loads(line) for line in self.process.stderr if line.startswith("{")]
        self.process.stderr.close()
        return code


@pytest.fixture
def serve(shop: Shop) -> Iterator[Callable[..., Process]]:
    """Start `tactful serve` on the shop."""
    processes: list[Process] = []

    def start(*options: str, **more: Any) -> Process:
        processes.append(Process(shop.folder, *options, **more))
        return processes[-1]

    yield start
    for each in processes:
        if each.process.returncode is None:
            each.end(signal.SIGKILL)


def sent(shop: Shop) -> int:
    return len(list((shop.folder / "out").glob("*.eml"))) if (shop.folder / "out").is_dir() else 0


def test_what_was_answered_survives_a_kill(serve: Callable[..., Process], shop: Shop) -> None:
    running = serve("--only", "api", "--port", "0")
    with running.client() as client:
        answer = client.post("/v1/events", json=ONE_EVENT)
        running.end(signal.SIGKILL)
    assert answer.json()["learnt"] == 1
    with shop.engine.store.read() as tx:
        assert reading.keys_seen(tx, ["e-1"]) == {"e-1"}


def test_api_and_runner_run_and_end_together(serve: Callable[..., Process], shop: Shop) -> None:
    running = serve("--port", "0")
    with running.client() as client:
        assert client.post("/v1/events", json=ONE_EVENT).json()["learnt"] == 1
        wait_until(lambda: sent(shop) == 1)
        assert client.get("/health").json() == {"status": "ok", "runner": True}
        assert running.end() == 0
        with pytest.raises(httpx.TransportError):
            client.get("/health")
    assert [each["event"] for each in running.log][-2:] == ["stopping", "stopped"]


def test_whoever_watches_over_it_needs_no_key(serve: Callable[..., Process], shop: Shop) -> None:
    running = serve("--port", "0")
    with running.client() as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        assert client.get("/healthz").json() == {"ok": True, "why": None}
        client.post("/v1/events", json=ONE_EVENT)
        wait_until(lambda: sent(shop) == 1)
        wait_until(lambda: 'tactful_messages_total{sender="news@acme.example",state="sent"} 1.0' in figures(client))
        assert "tactful_events_total 1.0" in figures(client)
        assert "tactful_daemons 1.0" in figures(client)
    assert running.end() == 0


def test_probes_stand_at_an_address_of_their_own_where_there_is_one(serve: Callable[..., Process], shop: Shop) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    project = shop.folder / "tactful.yaml"
    project.write_text(project.read_text() + f"  watch: {{port: {port}}}\n")
    running = serve("--port", "0")
    with running.client() as client:
        watch = running.until("listening")
        assert (watch["what"], watch["address"]) == ("probes", f"http://127.0.0.1:{port}")
        wait_until(lambda: httpx.get(f"{watch['address']}/readyz").status_code == 200)
        assert client.get("/readyz").status_code == 404
    assert running.end() == 0


def figures(client: httpx.Client) -> str:
    return client.get("/metrics").text


def test_the_two_may_run_apart(serve: Callable[..., Process], shop: Shop) -> None:
    runner, api = serve("--only", "runner"), serve("--only", "api", "--port", "0")
    runner.until("running")
    with api.client() as client:
        assert client.post("/v1/events", json=ONE_EVENT).json()["learnt"] == 1
        wait_until(lambda: sent(shop) == 1)
        assert client.get("/health").json()["runner"] is True
    assert api.end(signal.SIGINT) == 0
    assert runner.end() == 0
    assert "listening" not in {each["event"] for each in runner.log}


def test_an_api_on_a_database_that_the_project_left_takes_nothing_more_and_ends(
    serve: Callable[..., Process], shop: Shop
) -> None:
    api = serve("--only", "api", "--port", "0")
    with api.client() as client, closing(open_store(f"sqlite:///{shop.folder / 'new.db'}")) as new:
        new.lay_out()
        move(shop.engine.store, new, CLOCK.now())
        with suppress(httpx.TransportError):  # it may have ended
            assert client.post("/v1/events", json=ONE_EVENT).status_code == 503
    assert api.process.wait(60) == 1
    api.end()
    (said,) = [each for each in api.log if "so this process ends" in each["event"]]
    assert "the project moved to" in said["why"]
    with shop.engine.store.read() as tx:
        assert reading.keys_seen(tx, ["e-1"]) == set()


def test_without_a_section_for_it_nothing_listens(serve: Callable[..., Process], shop: Shop) -> None:
    file = shop.folder / "tactful.yaml"
    file.write_text(file.read_text().partition("http:")[0])
    running = serve()
    running.until("running")
    assert running.end() == 0
    assert "listening" not in {each["event"] for each in running.log}


def test_without_keys_it_says_how_to_make_one(serve: Callable[..., Process], shop: Shop) -> None:
    file = shop.folder / "tactful.yaml"
    file.write_text(file.read_text().partition("http:")[0])
    running = serve("--only", "api", "--port", "0")
    with running.client() as client:
        assert client.post("/v1/events", json=ONE_EVENT).status_code == 401
    (said,) = [each for each in running.log if "no API key" in each["event"]]
    made = subprocess.run(said["make"], shell=True, capture_output=True, text=True, check=True)  # noqa: S602 -- ours
    assert len(made.stdout.strip()) >= 24


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({**ENVIRON, "KEY_ALL": "too short"}, "the API key `all` has fewer than 24 characters"),
        ({**ENVIRON, "KEY_ALL": ""}, "the environment variable KEY_ALL, the API key `all`, is not set"),
    ],
)
def test_a_key_that_is_no_good_keeps_it_from_starting(
    serve: Callable[..., Process], environ: dict[str, str], says: str
) -> None:
    running = serve(environ=environ)
    _, said = running.process.communicate(timeout=60)
    assert running.process.returncode == 1
    assert says in said
