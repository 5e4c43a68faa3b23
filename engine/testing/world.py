"""A world of its own: a database in memory, a clock that is set, and messages that only seem to leave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from tactful.elements.contract import Element, Instant, MessageKey
from tactful.elements.options.duration import Duration
from tactful.engine.channels import Accepted, Outcome, Outgoing, Refused
from tactful.engine.clock import SetClock
from tactful.engine.compose import Engine, open_engine
from tactful.engine.contacts import put_contacts
from tactful.engine.contacts_file import ContactFields
from tactful.engine.delivery import Lane
from tactful.engine.host import Incoming, Told
from tactful.engine.interpreter import Journey
from tactful.engine.rules.permission import Limit
from tactful.engine.runner import Runner
from tactful.engine.senders import ConsoleSender, Sender
from tactful.engine.store import reading, rows
from tactful.engine.store.database import IN_MEMORY
from tactful.engine.store.statements import CONTACT, JOURNEY, MESSAGE, VISIT
from tactful.flows.load import load_sources
from tactful.flows.model import Flow

_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that left: which, from which element, to whom, when, and its rendered texts."""

    key: MessageKey
    element: str
    contact: str
    channel: str
    destination: str
    at: Instant
    parts: Mapping[str, str]


@dataclass(slots=True)
class Post:
    """The connector of a world: it takes every message, unless told to refuse the next ones."""

    taken: list[Outgoing] = field(default_factory=list)
    refuse: list[Outcome] = field(default_factory=list)

    def send(self, batch: Sequence[Outgoing]) -> Iterator[tuple[MessageKey, Outcome]]:
        for each in batch:
            if self.refuse:
                yield each.key, self.refuse.pop(0)
            else:
                self.taken.append(each)
                yield each.key, Accepted()

    def close(self) -> None:
        """Nothing to close."""


class World:
    """The engine in virtual time. Everything that follows from an act has happened when the act returns."""

    def __init__(
        self,
        now: Instant,
        *,
        database: str = IN_MEMORY,
        elements: Mapping[str, type[Element]] | None = None,
        senders: Mapping[str, Sender] | None = None,
        limits: Sequence[Limit] = (),
        transactional: frozenset[str] = frozenset(),
    ) -> None:
        self.clock = SetClock(now)
        self.engine: Engine = open_engine(database, elements=elements, limits=limits, transactional=transactional)
        self.post = Post()
        self._senders = senders or {}
        self._lanes: dict[str, Lane] = {}
        self._runner = Runner(self.engine, self.clock)

    # --- acts

    def publish(self, flow: Flow | str | Path) -> Flow:
        """Publish a flow: one that is loaded, YAML text, or a file. Raises ValueError with all problems."""
        if not isinstance(flow, Flow):
            flow = self._loaded(flow)
        self.engine.lifecycle.publish(flow, self.clock.now())
        self.settle()
        return flow

    def _loaded(self, source: str | Path) -> Flow:
        from tactful.flows.load import load_file

        if isinstance(source, Path):
            loaded = load_file(source, self.engine.host.catalogue)
        else:
            loaded = load_sources({"flow.yaml": source}, self.engine.host.catalogue)
        if loaded.flow is None:
            raise ValueError("\n".join(problem.render() for problem in loaded.problems))
        return loaded.flow

    def contact(
        self,
        key: str,
        *,
        email: str | None = None,
        phone: str | None = None,
        time_zone: str | None = None,
        tags: Sequence[str] = (),
        **attributes: Any,
    ) -> str:
        """Create or change a contact; their id. Without an email or a phone number the id serves as email
        where it looks like one."""
        if email is None and phone is None and "@" in key:
            email = key
        put_contacts(
            self.engine.host,
            [ContactFields(key, email, phone, time_zone, attributes, frozenset(tags))],
            self.clock.now(),
        )
        self.settle()
        return key

    def enter(self, flow: str, *contacts: str, **data: Any) -> list[int]:
        """Bring contacts in by hand; the journeys that began."""
        entered = self.engine.host.enter(flow, contacts, self.clock.now(), data)
        self.settle()
        return [each.journey for each in entered if each.journey is not None]

    def happens(
        self,
        name: str,
        contact: str | None = None,
        message: MessageKey | None = None,
        *,
        at: Instant | None = None,
        key: str | None = None,
        **data: Any,
    ) -> Told:
        """An event of a contact or of a message."""
        (told,) = self.engine.host.tell([Incoming(name, contact, message, data, at, key)], self.clock.now())
        self.settle()
        return told

    def refuse_next(self, why: str, *, final: bool = True) -> None:
        """The provider refuses the next message."""
        self.post.refuse.append(Refused(why, final))

    def advance(self, duration: str | int) -> None:
        """Let time pass (text, such as `48 hours`, or milliseconds), stopping at every moment something is due."""
        now = self.clock.now()
        self.until(now + duration if isinstance(duration, int) else Duration.parse(duration).after(now, _UTC))

    def until(self, moment: Instant) -> None:
        """Let time pass up to a moment."""
        while (due := self.next_due()) is not None and due <= moment:
            self.clock.set(max(due, self.clock.now()))
            self.settle()
        self.clock.set(max(moment, self.clock.now()))
        self.settle()

    def settle(self) -> None:
        """Let everything happen that is due now."""
        while True:
            self._runner.work()
            looked = 0
            for sender, due_at in self.engine.outbox.waiting().items():
                if due_at <= self.clock.now():
                    looked += self._lane(sender).deliver()
            if not looked:
                return

    def next_due(self) -> Instant | None:
        """When something is due next, a held message among it."""
        due = [each for each in self.engine.outbox.waiting().values() if each > self.clock.now()]
        timer = self._runner.next_due()
        return min([*due, timer] if timer is not None else due, default=None)

    def _lane(self, sender: str) -> Lane:
        lane = self._lanes.get(sender)
        if lane is None:
            settings = self._senders.get(sender) or ConsoleSender(via="console", channel="email")
            lane = self._lanes[sender] = Lane(sender, settings, self.engine.outbox, self.clock, self.post)
        return lane

    # --- what became of it

    def journeys(self, contact: str | None = None) -> list[Journey]:
        """Journeys in the order they began, of all contacts or of one."""
        statement = select(*reading.JOURNEY_COLUMNS).order_by(JOURNEY.c.id)
        if contact is not None:
            statement = statement.join(CONTACT, CONTACT.c.id == JOURNEY.c.contact).where(CONTACT.c.key == contact)
        with self.engine.store.read() as tx:
            self.engine.host.flows.refresh(tx)
            return [rows.read_journey(row, self.engine.host.flows.name[row.flow]) for row in tx.execute(statement)]

    def path(self, journey: int) -> list[tuple[str, str]]:
        """The elements a journey left, each with the exit it took."""
        statement = select(VISIT.c.element, VISIT.c.exit).where(VISIT.c.journey == journey).order_by(VISIT.c.step)
        with self.engine.store.read() as tx:
            return [(element, exit) for element, exit in tx.execute(statement)]

    def sent(self, contact: str | None = None) -> list[Sent]:
        """The messages that left, in their order."""
        with self.engine.store.read() as tx:
            found = tx.execute(
                select(MESSAGE.c.journey, MESSAGE.c.step, MESSAGE.c.element, CONTACT.c.key).join(
                    CONTACT, CONTACT.c.id == MESSAGE.c.contact
                )
            )
            about = {MessageKey(row.journey, row.step): (row.element, row.key) for row in found}
        return [
            Sent(out.key, *about[out.key], out.channel, out.destination, out.at, out.parts)
            for out in self.post.taken
            if contact is None or about[out.key][1] == contact
        ]

    def messages(self) -> dict[MessageKey, str]:
        """The state of every message."""
        with self.engine.store.read() as tx:
            found = tx.execute(select(MESSAGE.c.journey, MESSAGE.c.step, MESSAGE.c.state))
            return {MessageKey(journey, step): state for journey, step, state in found}

    def close(self) -> None:
        """End of the world."""
        self.engine.close()
