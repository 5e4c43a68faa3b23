"""A journey survives SIGKILL at any moment.

A real daemon is killed again and again while it runs a crowd through sends, timers and the Do Not
Contact list, against a real SMTP server. What must hold at the end: every contact went exactly the way
they should have, no message is missing, and the only repeats are of messages recorded as unknown.
"""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import select, text

from tactful.elements import catalogue
from tactful.elements.contract import MessageKey
from tactful.engine.clock import SystemClock
from tactful.engine.compose import Engine, open_engine
from tactful.engine.contacts import put_contacts
from tactful.engine.contacts_file import ContactFields
from tactful.engine.incoming import Incoming
from tactful.engine.outbox import Settled
from tactful.engine.project import from_folder
from tactful.engine.store.statements import MESSAGE
from tactful.flows.load import load_sources

SENDER = "news@acme.example"
CLOCK = SystemClock()

FLOW = f"""
flow: rush
settings: {{sender: {{email: {SENDER}}}}}
elements:
  first: {{type: send_email, subject: First, text: "Hello {{{{ contact.id }}}}", next: opened}}
  opened:
    type: wait_for_event
    event: opened
    message: first
    within: 1 seconds
    next: {{happened: thanks, timed_out: again}}
  thanks: {{type: send_email, subject: Thanks, text: You opened it, next: thanked}}
  thanked: {{type: goal, name: thanked}}
  again: {{type: send_email, subject: Again, text: Once more, next: rest}}
  rest: {{type: pause, for: 1 seconds, next: never}}
  never: {{type: add_to_do_not_contact, channel: email}}
"""

OPENED = [("first", "sent"), ("opened", "happened"), ("thanks", "sent"), ("thanked", "done")]
UNOPENED = [("first", "sent"), ("opened", "timed_out"), ("again", "sent"), ("rest", "done"), ("never", "done")]


@dataclass
class Mailbox:
    """What the SMTP server took, by Message-ID."""

    taken: Counter[str] = field(default_factory=Counter)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        headers = envelope.content.split(b"\r\n\r\n", 1)[0].decode()
        (line,) = [line for line in headers.splitlines() if line.lower().startswith("message-id:")]
        self.taken[line.split(":", 1)[1].strip()] += 1
        return "250 taken"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield box, port
    finally:
        controller.stop()


class Project:
    """A project in a folder, seen from beside the daemon."""

    def __init__(self, folder: Path, port: int, on_unknown: str, database: str = "sqlite:///rush.db") -> None:
        self.folder = folder
        (folder / "tactful.yaml").write_text(
            f"database: {database}\n"
            f'senders:\n  "{SENDER}": {{channel: email, via: smtp, host: 127.0.0.1, port: {port}, '
            f"on_unknown: {on_unknown}}}\n"
        )
        self.engine: Engine = open_engine(from_folder(database, folder))

    def begin(self, people: int) -> None:
        loaded = load_sources({"rush.yaml": FLOW}, catalogue())
        assert loaded.flow is not None, [problem.render() for problem in loaded.problems]
        now = CLOCK.now()
        self.engine.lifecycle.publish(loaded.flow, now)
        put_contacts(self.engine.host, [ContactFields(f"c{n}", f"c{n}@example.com") for n in range(people)], now)
        self.engine.host.enter("rush", [f"c{n}" for n in range(people)], now)

    def daemon(self) -> subprocess.Popen[str]:
        """Start it, and wait until it says that it runs."""
        command = [str(Path(sys.executable).with_name("tactful")), "serve", "--project", str(self.folder)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if "running" in line:
                return process
        raise AssertionError("the daemon ended at once:\n" + "".join(said))

    def open_some(self) -> None:
        """Every third contact opens their first message, soon after it was sent."""
        with self.engine.store.read() as tx:
            sent = tx.execute(
                select(MESSAGE.c.journey, MESSAGE.c.step).where(
                    MESSAGE.c.element == "first", MESSAGE.c.state == "sent", MESSAGE.c.contact % 3 == 0
                )
            )
            keys = [MessageKey(journey, step) for journey, step in sent]
        told = [Incoming("opened", message=key, key=f"open {key}") for key in keys]
        self.engine.host.tell(told, CLOCK.now())

    def states(self) -> Counter[str]:
        with self.engine.store.read() as tx:
            return Counter(dict(tx.execute(text("select state, count(*) from journey group by state")).all()))

    def in_hand(self) -> int:
        with self.engine.store.read() as tx:
            return int(tx.scalar(text("select count(*) from message where state = 'sending'")) or 0)

    def messages(self) -> list[tuple[str, str, int]]:
        """Message key, state, and how often its outcome was unknown."""
        with self.engine.store.read() as tx:
            found = tx.execute(select(MESSAGE.c.journey, MESSAGE.c.step, MESSAGE.c.state, MESSAGE.c.unknowns))
            return [(f"{row.journey}.{row.step}", row.state, row.unknowns) for row in found]

    def paths(self) -> list[list[tuple[str, str]]]:
        with self.engine.store.read() as tx:
            rows = tx.execute(text("select journey, element, exit from visit order by journey, step")).all()
        paths: dict[int, list[tuple[str, str]]] = {}
        for journey, element, exit in rows:
            paths.setdefault(journey, []).append((element, exit))
        return list(paths.values())

    def blocked(self) -> int:
        with self.engine.store.read() as tx:
            return int(tx.scalar(text("select count(*) from block")) or 0)


def _killed_again_and_again(project: Project, kills: int, seed: int) -> int:
    """How many messages were in hand at all the kills together."""
    chance = random.Random(seed)
    in_hand = 0
    for _ in range(kills):
        daemon = project.daemon()
        try:
            daemon.wait(timeout=chance.uniform(0.0, 0.5))
            raise AssertionError("the daemon ended by itself")
        except subprocess.TimeoutExpired:
            daemon.send_signal(signal.SIGKILL)
            daemon.communicate()
        in_hand += project.in_hand()
        project.open_some()
    return in_hand


def _run_to_the_end(project: Project, done: int, seconds: float) -> None:
    daemon = project.daemon()
    give_up_at = CLOCK.monotonic() + seconds
    while project.states()["active"] > done:
        assert CLOCK.monotonic() < give_up_at, f"journeys do not end: {project.states()}"
        try:
            daemon.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            project.open_some()
    daemon.send_signal(signal.SIGTERM)
    daemon.communicate(timeout=30)
    assert daemon.returncode == 0, "SIGTERM ends it cleanly"


@pytest.mark.parametrize(
    ("people", "kills"), [(150, 5), pytest.param(2_000, 50, marks=pytest.mark.full)], ids=["small", "full"]
)
def test_killed_at_any_moment_nothing_is_missing(
    tmp_path: Path, mailbox: tuple[Mailbox, int], people: int, kills: int
) -> None:
    box, port = mailbox
    project = Project(tmp_path, port, "at_least_once")
    project.begin(people)
    in_hand = _killed_again_and_again(project, kills, seed=people)
    _run_to_the_end(project, done=0, seconds=120)

    paths = project.paths()
    assert len(paths) == people
    assert [path for path in paths if path not in (OPENED, UNOPENED)] == []
    assert project.states() == {"done": people}
    assert project.blocked() == paths.count(UNOPENED)

    messages = project.messages()
    assert {state for _, state, _ in messages} == {"sent"}
    assert len(messages) == 2 * people
    by_key = Counter({_key(id): n for id, n in box.taken.items()})
    assert len(by_key) == len(box.taken), "a message has one Message-ID however often it is sent"
    assert [key for key, _, _ in messages if by_key[key] == 0] == [], "no message is missing"
    assert [key for key, _, unknowns in messages if by_key[key] > 1 + unknowns] == [], "only unknown ones are repeated"
    assert sum(unknowns for _, _, unknowns in messages) == in_hand, "no more are unknown than were in hand"


def test_at_most_once_never_repeats(tmp_path: Path, mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    people = 150
    project = Project(tmp_path, port, "at_most_once")
    project.begin(people)
    in_hand = _killed_again_and_again(project, kills=5, seed=7)
    unknown = _wait_until_only_unknown_wait(project)
    assert unknown <= in_hand
    assert max(box.taken.values()) == 1, "nothing is sent twice"

    # A person decides about those that nobody knows of; then their journeys go on.
    while open_ones := [key for key, state, _ in project.messages() if state == "unknown"]:
        project.engine.outbox.settle([Settled(MessageKey.parse(key), "sent") for key in open_ones], CLOCK.now())
        _wait_until_only_unknown_wait(project)
    assert max(box.taken.values()) == 1
    assert project.states() == {"done": people}
    assert [path for path in project.paths() if path not in (OPENED, UNOPENED)] == []


def _wait_until_only_unknown_wait(project: Project) -> int:
    """Run until every journey ended or waits for a message nobody knows of; how many wait so."""
    daemon = project.daemon()
    give_up_at = CLOCK.monotonic() + 120
    while True:
        unknown = sum(state == "unknown" for _, state, _ in project.messages())
        if project.states()["active"] == unknown:
            break
        assert CLOCK.monotonic() < give_up_at, f"journeys do not end: {project.states()}, {unknown} unknown"
        try:
            daemon.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            continue
    daemon.send_signal(signal.SIGTERM)
    daemon.communicate(timeout=30)
    return unknown


def _key(message_id: str) -> str:
    """The message's key in `<journey.step.digest@domain>`."""
    journey, step, _ = message_id.strip("<>").partition("@")[0].split(".")
    return f"{journey}.{step}"
