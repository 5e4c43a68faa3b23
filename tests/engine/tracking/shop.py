"""A shop that tracks: its engine in virtual time, a mail server and a web server of its own, and who reads mail."""

from __future__ import annotations

import asyncio
import email
import email.policy
import http.client
import socket
import threading
from dataclasses import dataclass
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from aiosmtpd.smtp import SMTP
from sqlalchemy import select
from starlette.applications import Starlette

from tactful.elements import catalogue
from tactful.elements.contract import MessageKey
from tactful.engine.api.tracking_routes import tracking_routes
from tactful.engine.channels import connect
from tactful.engine.clock import SetClock
from tactful.engine.compose import open_engine
from tactful.engine.contacts import put_contacts
from tactful.engine.contacts_file import ContactFields
from tactful.engine.delivery import Lane
from tactful.engine.incoming import Incoming
from tactful.engine.optout import do_not_contact
from tactful.engine.optout.links import links_of
from tactful.engine.project import load_project
from tactful.engine.runner import Runner
from tactful.engine.store.reading import EVENT_COLUMNS
from tactful.engine.store.rows import read_event
from tactful.engine.store.statements import EVENT, MESSAGE, VISIT
from tactful.engine.tracking.outgoing import tracking_of
from tactful.flows.load import load_file

MONDAY = 1_772_442_000_000  # 2026-03-02 09:00 UTC
HOUR = 3_600_000
SENDER = "hello@harbourtea.example"
THUNDERBIRD = "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Thunderbird/115.6.0"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0"
BARRACUDA = "Barracuda Sentinel (EE)"
WIN_BACK = Path(__file__).parents[3] / "examples" / "win-back"


class MailServer:
    """Takes every message, in a thread of its own."""

    def __init__(self) -> None:
        self.received: list[EmailMessage] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        starting = self._loop.create_server(
            lambda: SMTP(self, loop=self._loop, hostname="mail.example"), "127.0.0.1", 0
        )
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(10)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 -- aiosmtpd's name
        self.received.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 OK"

    def stop(self) -> None:
        async def stop() -> None:
            self._server.close()
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


class WebServer:
    """uvicorn on a port of this machine, in a thread of its own. What it serves may come later than its port."""

    def __init__(self) -> None:
        # The protocol by name: else asyncio leaves out TCP_NODELAY, and a pixel takes 40 ms.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen()
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def start(self, app: Starlette) -> None:
        started = threading.Event()
        config = uvicorn.Config(app, log_level="warning", lifespan="off")

        class Server(uvicorn.Server):
            async def startup(self, sockets=None):
                await super().startup(sockets)
                started.set()

        self._server = Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))
        self._thread.start()
        assert started.wait(10)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Mail(HTMLParser):
    """A message as a mail program has it: its text, its links, its images."""

    def __init__(self, message: EmailMessage) -> None:
        super().__init__()
        self.message = message
        self.links: list[str] = []
        self.images: list[str] = []
        plain, html = message.get_body(("plain",)), message.get_body(("html",))
        assert plain is not None
        assert html is not None
        self.text = str(plain.get_content())
        self.html = str(html.get_content())
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "a" and values.get("href"):
            self.links.append(values["href"] or "")
        if tag == "img":
            self.images.append(values["src"] or "")

    @property
    def pixel(self) -> str:
        (pixel,) = (image for image in self.images if image.endswith(".gif"))
        return pixel


class Shop:
    """A project with one flow and one sender that tracks, in `folder`; its database is there, or where `url` says."""

    def __init__(
        self, folder: Path, flow: Path | str, track: str = "[opened, clicked]", url: str | None = None
    ) -> None:
        self.mail_server, self.web = MailServer(), WebServer()
        (folder / "tactful.yaml").write_text(
            f"senders:\n  {SENDER}: {{channel: email, via: smtp, host: 127.0.0.1, port: {self.mail_server.port}, "
            f"track: {track}}}\n"
            f"opt_out: {{base_url: '{self.web.url}'}}\n"
        )
        project, problems = load_project(folder / "tactful.yaml")
        assert project is not None, [problem.render() for problem in problems]
        self.project = project
        self.clock = SetClock(MONDAY)
        self.engine = open_engine(url or f"sqlite:///{folder / 'shop.db'}")
        if isinstance(flow, str):
            (folder / "flow.yaml").write_text(flow)
            flow = folder / "flow.yaml"
        loaded = load_file(flow, catalogue(), project.surroundings())
        assert loaded.flow is not None, [problem.render() for problem in loaded.problems]
        assert not loaded.errors
        self.engine.lifecycle.publish(loaded.flow, MONDAY)
        put_contacts(
            self.engine.host,
            [ContactFields("ana", "ana@example.com", None, "Europe/Zagreb", {"first_name": "Ana"}, frozenset())],
            MONDAY,
        )
        settings = (project.senders or {})[SENDER]
        self.connector = connect(settings)
        links = links_of(self.engine.store, self.engine.do_not_contact.keyring, project)
        tracking = tracking_of(self.engine, project)
        self.lane = Lane(
            SENDER, settings, self.engine.outbox, self.clock, self.connector, links=links, tracking=tracking
        )
        self._runner = Runner(self.engine, self.clock)
        self.web.start(Starlette(routes=tracking_routes(self.engine, project, self.clock)))

    def close(self) -> None:
        self.web.stop()
        self.lane.close()
        self.mail_server.stop()
        self.engine.close()

    # --- what happens

    def happens(self, name: str, **data: object) -> None:
        self.engine.host.tell([Incoming(name, "ana", None, data)], self.clock.now())
        self.settle()

    def settle(self) -> None:
        self._runner.work()
        while self.lane.deliver():
            self._runner.work()

    def after(self, hours: int) -> None:
        for _ in range(hours):
            self.clock.advance(HOUR)
            self.settle()

    def mails(self) -> list[Mail]:
        return [Mail(message) for message in self.mail_server.received]

    def ask(self, url: str, agent: str = FIREFOX, method: str = "GET", **headers: str) -> Answer:
        """Ask for an address, as a mail program or a browser does."""
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        try:
            connection.request(method, parts.path, headers={"User-Agent": agent, **headers})
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    # --- what is known

    def told(self) -> list[tuple[str, dict[str, object]]]:
        """The events of messages, in their order."""
        with self.engine.store.read() as tx:
            asked = select(*EVENT_COLUMNS).where(EVENT.c.message_journey.is_not(None)).order_by(EVENT.c.id)
            return [(event.name, dict(event.data)) for event in map(read_event, tx.execute(asked))]

    def path(self) -> list[tuple[str, str]]:
        with self.engine.store.read() as tx:
            return [(row.element, row.exit) for row in tx.execute(select(VISIT).order_by(VISIT.c.step))]

    def message(self) -> tuple[MessageKey, str]:
        """The only message, and its state."""
        with self.engine.store.read() as tx:
            (row,) = tx.execute(select(MESSAGE.c.journey, MESSAGE.c.step, MESSAGE.c.state))
        return MessageKey(row.journey, row.step), row.state

    def blocked(self) -> list[str]:
        with self.engine.store.read() as tx:
            return [block.destination for block, _ in do_not_contact.listed(tx)]


NOTE = """
flow: note
entry: {event: began, again: always}
settings: {sender: {email: hello@harbourtea.example}}
elements:
  mail:
    type: send_email
    subject: Hello
    html: >-
      <p>Hi <a href="https://shop.example/tea?a=1&amp;b=2">tea</a> <a href='https://shop.example/cups'>cups</a>
      <a href="https://shop.example/imprint" data-track="no">imprint</a></p>
    next: opened
  opened: {type: wait_for_event, event: opened, message: mail, within: forever, next: {happened: end, timed_out: end}}
"""
