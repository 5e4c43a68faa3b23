"""A shop with its project, its database and its API: in process, or served on a port of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tactful.elements import catalogue
from tactful.engine.api.app import create_app
from tactful.engine.api.keys import keys_of
from tactful.engine.api.server import Serving
from tactful.engine.clock import SystemClock
from tactful.engine.compose import Engine, open_engine
from tactful.engine.contacts import put_contacts
from tactful.engine.contacts_file import ContactFields
from tactful.engine.project import Project, load_project
from tactful.flows.load import load_file

CLOCK = SystemClock()

KEY = "a-key-that-may-do-everything-there-is"
LISTENER = "a-key-that-may-tell-events-and-no-more"
ENVIRON = {"KEY_ALL": KEY, "KEY_EVENTS": LISTENER}

PROJECT = """
contact: {first_name: text, orders: number}
senders:
  "news@acme.example": {channel: email, via: console, folder: out}
  "+447700900123": {channel: sms, via: console, folder: out}
region: GB
opt_out:
  keywords:
    - {sender: "+447700900123", keyword: STOP, action: block, level: any_sender}
    - {sender: "+447700900123", keyword: START, action: unblock, level: any_sender}
http:
  keys:
    - name: all
      key: {env: KEY_ALL}
      scopes:
        [inbound, "do-not-contact:read", "do-not-contact:write", events, contacts, "journeys:read", "journeys:write"]
    - {name: listener, key: {env: KEY_EVENTS}, scopes: [events]}
"""

FLOW = """
flow: note
entry: {event: began, again: always}
settings: {sender: {email: news@acme.example}}
elements:
  mail: {type: send_email, subject: Hello, text: First, next: rest}
  rest: {type: pause, for: 2 days}
"""


class Shop:
    """A project in a folder, with a flow and two contacts, and its engine."""

    def __init__(self, folder: Path, database: str | None, more: str = "", flow: str = "note") -> None:
        (folder / "flows").mkdir()
        (folder / "flows" / "note.yaml").write_text(FLOW.replace("flow: note", f"flow: {flow}"))
        (folder / "tactful.yaml").write_text(PROJECT + more)
        project, problems = load_project(folder / "tactful.yaml")
        assert project is not None, [problem.render() for problem in problems]
        self.folder = folder
        self.project: Project = project
        self.engine: Engine = open_engine(database or project.database_url())
        loaded = load_file(folder / "flows" / "note.yaml", catalogue(), project.surroundings()).flow
        assert loaded is not None
        self.engine.lifecycle.publish(loaded, CLOCK.now())
        people = [
            ContactFields("ana", "ana@example.com", "+447700900456"),
            ContactFields("ben", "ben@example.com"),
        ]
        put_contacts(self.engine.host, people, CLOCK.now())
        self.changes = 0
        self._open = ExitStack()

    def changed(self) -> None:
        """Counts what the API tells the runner."""
        self.changes += 1

    def app(self):
        """The API, to be called in process or served."""
        assert self.project.http is not None
        return create_app(self.engine, self.project, CLOCK, keys_of(self.project.http, ENVIRON), self.changed)

    def serve(self, app=None, **settings) -> tuple[str, int]:
        """Serve it until the test ends; where."""
        served = Serving([(app or self.app(), "127.0.0.1", 0)], **settings)
        self._open.enter_context(served)
        return served.addresses[0]

    def client(self, key: str | None = KEY, app=None) -> httpx.Client:
        """A client of the served API."""
        host, port = self.serve(app)
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        return self._open.enter_context(httpx.Client(base_url=f"http://{host}:{port}", headers=headers, timeout=30))

    def close(self) -> None:
        """Everything ends."""
        self._open.close()
        self.engine.close()


def refused(answer: httpx.Response, status: int) -> dict[str, Any]:
    """A problem, as RFC 9457 has it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["type"] == "about:blank"
    assert problem["title"]
    return problem


@pytest.fixture
def database() -> str | None:
    """Where a shop's database is; None is in a file beside its project."""
    return None


@pytest.fixture
def new_shop(tmp_path: Path, database: str | None) -> Iterator[Callable[..., Shop]]:
    """Make a shop, with more in its project file."""
    shops: list[Shop] = []

    def make(more: str = "", flow: str = "note") -> Shop:
        shops.append(Shop(tmp_path, database, more, flow))
        return shops[-1]

    yield make
    for shop in shops:
        shop.close()


@pytest.fixture
def shop(new_shop: Callable[..., Shop]) -> Shop:
    """A shop."""
    return new_shop()


@pytest.fixture
def client(shop: Shop) -> httpx.Client:
    """A client of the shop's served API, with a key that may do everything."""
    return shop.client()
