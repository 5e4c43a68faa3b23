"""A project that sends messages with links, and its opt-out pages served for real, on this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette

from tactful.elements.contract import MessageKey
from tactful.engine.api.opt_out_pages import opt_out_routes
from tactful.engine.testing import World
from tactful.engine.testing.history import events

MONDAY = 1_772_442_000_000
"""2026-03-02 09:00 UTC, a Monday."""

EMAIL, PHONE = "ana@example.com", "+385911234567"
NEWS, ACME = "news@acme.example", "ACME"

PROJECT = """
senders:
  news@acme.example: {channel: email, via: console}
  work@acme.example: {channel: email, via: console}
  ACME: {channel: sms, via: console, two_way: false}
transactional: [receipt]
opt_out:
  base_url: https://go.acme.example
  links: LINKS
"""

FLOWS = {
    "letter": """
flow: letter
entry: {again: always}
settings: {sender: {email: news@acme.example}}
elements:
  letter: {type: send_email, subject: News, html: '<p>Tea! <a href="{{ opt_out_link }}">No more</a></p>', next: no}
  no:
    type: wait_for_event
    event: opted_out
    message: letter
    within: 60 days
    next: {happened: end, timed_out: end}
""",
    "plain": """
flow: plain
entry: {again: always}
settings: {sender: {email: news@acme.example}}
elements: {plain: {type: send_email, subject: News, text: Tea!}}
""",
    "workshop": """
flow: workshop
entry: {again: always}
settings: {sender: {email: work@acme.example}}
elements: {workshop: {type: send_email, subject: Your bike, text: Look}}
""",
    "text": """
flow: text
entry: {again: always}
settings: {sender: {sms: ACME}}
elements: {text: {type: send_sms, text: "Tea! No more: {{ opt_out_link }}"}}
""",
    "receipt": """
flow: receipt
entry: {again: always}
settings: {sender: {email: news@acme.example}, purpose: transactional}
elements: {receipt: {type: send_email, subject: Receipt, text: "Thanks. {{ opt_out_link }}"}}
""",
}


@dataclass
class Site:
    """A world, and its pages. `client` does not follow redirects."""

    world: World
    client: httpx.Client

    def send(self, flow: str, contact: str = "ana") -> MessageKey:
        """Bring somebody into a flow; the message that went out."""
        self.world.enter(flow, contact)
        return self.world.post.taken[-1].key

    def headers(self, key: MessageKey) -> Mapping[str, str]:
        """What a message has in its head beside the usual."""
        return next(out.headers for out in reversed(self.world.post.taken) if out.key == key)

    def path(self, key: MessageKey) -> str:
        """The path of the opt-out link that a message carries: in its head, else in its text."""
        out = next(out for out in reversed(self.world.post.taken) if out.key == key)
        said = out.headers.get("List-Unsubscribe", "").strip("<>") or out.parts["text"].split()[-1]
        assert said.startswith("https://go.acme.example/o/")
        return said.removeprefix("https://go.acme.example")

    def opted_out(self, contact: str = "ana") -> int:
        """How often a contact opted out, as their journeys learn it."""
        with self.world.engine.store.read() as tx:
            return sum(event.name == "opted_out" for event in events(tx, contact))

    def blocks(self) -> list[tuple[str, str, str, str]]:
        """The list: destination, channel, sender, what it covers."""
        return [(each.destination, each.channel, each.sender, each.covers) for each in self.world.do_not_contact]


def new_world(folder: Path, links: str = "{}", **settings: object) -> World:
    """A world with all the flows, where Ana lives."""
    (folder / "tactful.yaml").write_text(PROJECT.replace("LINKS", links))
    world = World(MONDAY, project=folder / "tactful.yaml", **settings)  # type: ignore[arg-type]
    for flow in FLOWS.values():
        world.publish(flow)
    world.contact("ana", email=EMAIL, phone=PHONE)
    return world


@contextmanager
def served(world: World, *, body_seconds: float = 5.0) -> Iterator[Site]:
    """Its opt-out pages, served by uvicorn."""
    assert world.project is not None
    routes = opt_out_routes(world.engine, world.project, world.clock, body_seconds=body_seconds)
    config = uvicorn.Config(Starlette(routes=routes), log_config=None, access_log=False)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:  # who calls before it runs is let wait
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            base = "http://{}:{}".format(*listening.getsockname())
            with httpx.Client(base_url=base, trust_env=False) as client:
                yield Site(world, client)
        finally:
            server.should_exit = True
            thread.join()
