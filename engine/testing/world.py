"""A world of its own: a database in memory, a clock that is set, and messages that only seem to leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from tactful.elements import catalogue
from tactful.elements.contract import Element, Instant, MessageKey
from tactful.elements.options.duration import Duration
from tactful.engine.addresses import address_of, email_address, phone_number
from tactful.engine.channels import Accepted, Outgoing, Refused
from tactful.engine.clock import Clock, SetClock, SystemClock
from tactful.engine.compose import Engine, open_engine
from tactful.engine.contacts import put_contacts
from tactful.engine.contacts_file import ContactFields
from tactful.engine.delivery import Lane
from tactful.engine.incoming import Incoming, Told
from tactful.engine.instants import instant, parse_instant, zone_named
from tactful.engine.interpreter import Journey, Visited
from tactful.engine.optout import do_not_contact
from tactful.engine.optout.inbox import Inbound, Inbox
from tactful.engine.project import Project, load_project
from tactful.engine.rules.permission import NO_POLICY, Block, Limit
from tactful.engine.runner import Runner
from tactful.engine.senders import ConsoleSender, Sender
from tactful.engine.store import reading
from tactful.engine.store.database import IN_MEMORY
from tactful.engine.testing import blocks, history
from tactful.engine.testing.coverage import Taken
from tactful.engine.testing.history import MessageStand
from tactful.engine.testing.journey import JourneyView
from tactful.engine.testing.links import links_in, opt_out_by_link
from tactful.engine.testing.post import Post, Sent
from tactful.flows.load import load_file, load_sources
from tactful.flows.model import LONE, Flow


class NoMessage(LookupError):
    """There is no such message, or none that was sent; the text says what became of it."""


@dataclass(frozen=True, slots=True)
class Became:
    """A message came to a state, or was given another moment to be looked at."""

    at: Instant
    message: MessageStand


class World:
    """The engine in virtual time. Everything that follows from an act has happened when the act returns.

    `now` is where time begins: an instant, a datetime with a zone, or text such as `2026-03-02 09:00`, read in
    `time_zone`, by which days are counted too. Without it the world goes by the machine's clock: freeze and move
    that (freezegun), then `settle()`.

    `project` (a file or one that is loaded) brings senders, limits, the contact schema and the flows that may send
    transactional messages. Without it, a flow's senders are taken as they are.

    `flows` are those published, by id; `answered` what keyword rules answered; `became` every state of every message.
    """

    def __init__(
        self,
        now: Instant | datetime | str | None = None,
        *,
        time_zone: str = "UTC",
        project: Project | Path | str | None = None,
        folder: Path | None = None,
        database: str = IN_MEMORY,
        elements: Mapping[str, type[Element]] | None = None,
        senders: Mapping[str, Sender] | None = None,
        limits: Sequence[Limit] = (),
        transactional: frozenset[str] = frozenset(),
    ) -> None:
        self.zone = zone_named(time_zone)
        self.project = _project(project)
        self.clock: Clock = SystemClock() if now is None else SetClock(self._instant(now))
        self.became: list[Became] = []
        self.answered: list[Outgoing] = []
        self.flows: dict[str, Flow] = {}
        self._folder = folder
        self._database = database
        self._elements = _installed() if elements is None else elements
        self._senders = senders or (self.project.senders if self.project else None) or {}
        policy = self.project.policy if self.project else NO_POLICY
        self._policy = replace(policy, limits=(*limits, *policy.limits))
        self._transactional = transactional | (self.project.transactional if self.project else frozenset())
        self._stands: dict[MessageKey, MessageStand] = {}
        self.post = Post(lambda key: self._stand(key).element)
        self._start(None)

    def _start(self, image: bytes | None) -> None:
        self.engine: Engine = open_engine(
            self._database, elements=self._elements, policy=self._policy, transactional=self._transactional, image=image
        )
        rules, region = (self.project.keyword_rules, self.project.region) if self.project else ((), None)
        self.inbox = Inbox(self.engine, self._senders, rules, region, self._answer)
        self._runner = Runner(self.engine, self.clock, inbox=self.inbox)
        self._links = links_in(self.engine, self.project)
        self._lanes: dict[str, Lane] = {}

    # --- flows and contacts

    def flow(self, file: str | Path) -> Flow:
        """Publish the flow of a file, looked for in the world's folder (the test's own), else where we are."""
        path = (self._folder or Path()) / file
        return self.publish(path if path.exists() else Path(file))

    def publish(self, flow: Flow | str | Path) -> Flow:
        """Publish a flow: one that is loaded, YAML text, or a file. Raises ValueError with all problems."""
        if not isinstance(flow, Flow):
            around = self.project.surroundings() if self.project else LONE
            if isinstance(flow, Path):
                loaded = load_file(flow, self._elements, around)
            else:
                loaded = load_sources({"flow.yaml": flow}, self._elements, around)
            if loaded.flow is None:
                raise ValueError("\n".join(problem.render() for problem in loaded.problems))
            flow = loaded.flow
        self.engine.lifecycle.publish(flow, self.clock.now())
        self.flows[flow.id] = flow
        self.settle()
        return flow

    def contact(
        self,
        key: str | None = None,
        *,
        email: str | None = None,
        phone: str | None = None,
        time_zone: str | None = None,
        tags: Sequence[str] = (),
        **attributes: Any,
    ) -> str:
        """Create or change a contact; their id. An attribute of None is removed, tags are added.

        Without any address an id that looks like an email is one; without an id the address serves as id.
        """
        if email is None and phone is None and key is not None and "@" in key:
            email = key
        key = key or email or phone
        if key is None:
            raise ValueError("a contact needs an id, an email or a phone number")
        email = None if email is None else email_address(email)
        phone = None if phone is None else phone_number(phone, self.project.region if self.project else None)
        return self.put(ContactFields(key, email, phone, time_zone, attributes, frozenset(tags)))

    def put(self, fields: ContactFields) -> str:
        """Create or change a contact from fields as an import has them; their id."""
        put_contacts(self.engine.host, [fields], self.clock.now())
        self.settle()
        return fields.key

    # --- what happens

    def enter(self, flow: str, *contacts: str, **data: Any) -> list[int]:
        """Bring contacts in by hand; the ids of the journeys that began."""
        return self.enter_all(flow, contacts, data)

    def enter_all(self, flow: str, contacts: Sequence[str], data: Mapping[str, Any]) -> list[int]:
        """The same, for data with any names."""
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
        return self.tell(Incoming(name, contact, message, data, at, key))

    def tell(self, event: Incoming) -> Told:
        """The same, for data that holds names such as `contact` or `at`."""
        (told,) = self.engine.host.tell([event], self.clock.now())
        self.settle()
        return told

    def opens(self, element: str, contact: str | None = None) -> None:
        """The newest message of an element is opened. Raises NoMessage where none was sent, as all such acts do."""
        self.reports("opened", element, contact)

    def clicks(self, element: str, contact: str | None = None) -> None:
        """A link in it is followed."""
        self.reports("clicked", element, contact)

    def reports(self, event: str, element: str, contact: str | None = None) -> None:
        """The newest message of an element has an event: `delivered`, `bounced`, `complained` and the like."""
        self.happens(event, message=self.message(element, contact).key)

    def replies(self, element: str, text: str, contact: str | None = None) -> None:
        """The newest message of an element is answered. Raises NoMessage where none was sent."""
        message = self.message(element, contact)
        if message.sender in self._senders:
            self.receives(text, message.sender, message.contact)
        else:  # no project says how its answers are to be read
            self.happens("replied", message=message.key, text=text, sender=message.sender)

    def receives(self, text: str, sender: str, contact: str) -> None:
        """An answer of a contact to a sender comes in. The project's keyword rules act on it; what a rule answers
        is in `answered`."""
        with self.engine.store.read() as tx:
            person = reading.contacts_by_key(tx, [contact]).get(contact)
        address = None
        if person is not None and sender in self._senders:
            address = address_of(person, self._senders[sender].channel)
        if address is None:
            self.happens("replied", contact, text=text, sender=sender)
            return
        self.inbox.receive(Inbound(sender, address, text), self.clock.now())
        self.settle()

    def _answer(self, outgoing: Outgoing) -> Accepted:
        self.answered.append(outgoing)
        return Accepted()

    def opts_out(self, element: str, contact: str | None = None) -> None:
        """The opt-out link of the newest message of an element is followed and confirmed."""
        opt_out_by_link(self.engine, self.project, self.message(element, contact).key, self.clock.now())
        self.settle()

    def block(self, contact: str, channel: str, sender: str | None = None) -> bool:
        """Somebody puts a contact on the Do Not Contact list by hand: on a channel or `all`, for any sender or this
        one. Whether they were not on it yet. Raises LookupError where they have no address there."""
        blocked = blocks.put_on(self.engine, contact, channel, sender, self.clock.now())
        self.settle()
        return blocked

    def unblock(self, contact: str, channel: str, sender: str | None = None) -> bool:
        """Take them off it again: the entries of exactly this channel and sender. Whether there were any."""
        taken_off = blocks.take_off(self.engine, contact, channel, sender, self.clock.now())
        self.settle()
        return taken_off

    def refuse_next(self, why: str, *, final: bool = True, element: str | None = None) -> None:
        """The provider refuses the next message; with `element`, the next one of that element."""
        self.post.refuse_next(Refused(why, final), element)

    def restart(self) -> None:
        """The engine is killed and started again: what it knows now is what its database holds."""
        image = self.engine.store.image() if self.engine.store.in_memory else None
        self.engine.close()
        self._start(image)
        repeats = [name for name, sender in self._senders.items() if sender.on_unknown == "at_least_once"]
        self.engine.outbox.recover(repeats, self.clock.now())
        self.settle()

    # --- time

    def advance(self, duration: str | int | None = None, **parts: int) -> None:
        """Let time pass, stopping at every moment something is due: `advance("48 hours")`, `advance(hours=48)`, or
        in milliseconds. `days` and `weeks` are those of the world's zone."""
        now = self.clock.now()
        if isinstance(duration, int):
            self.until(now + duration)
            return
        text = " ".join(filter(None, (duration, *(f"{number} {unit}" for unit, number in parts.items()))))
        self.until(Duration.parse(text).after(now, self.zone))

    def until(self, when: Instant | datetime | str) -> None:
        """Let time pass up to a moment, stopping at every one something is due. Time never goes back."""
        if not isinstance(self.clock, SetClock):
            raise RuntimeError("this world goes by the machine's clock: move that (freezegun), then `settle()`")
        end = self._instant(when)
        due = self.settle()
        while due is not None and due <= end:
            self.clock.set(due)
            due = self.settle()
        if end > self.clock.now():
            self.clock.set(end)
            self.settle()

    def settle(self) -> Instant | None:
        """Let everything happen that is due now; when something is due next."""
        while True:
            timer = self._runner.work()
            now, waiting = self.clock.now(), self.engine.outbox.waiting()
            looked_at = sum(self._lane(sender).deliver() for sender, due_at in waiting.items() if due_at <= now)
            self._note(now)
            if not looked_at:
                return min((at for at in (timer, *waiting.values()) if at is not None and at > now), default=None)

    def _lane(self, sender: str) -> Lane:
        lane = self._lanes.get(sender)
        if lane is None:
            settings = self._senders.get(sender) or ConsoleSender(via="console", channel="email")
            # At what rate a provider takes messages is nothing that virtual time could show.
            settings = settings.model_copy(update={"rate": None})
            lane = self._lanes[sender] = Lane(
                sender, settings, self.engine.outbox, self.clock, self.post, links=self._links
            )
        return lane

    def _note(self, now: Instant) -> None:
        for message in self.messages_now():
            if self._stands.get(message.key) != message:
                self._stands[message.key] = message
                self.became.append(Became(now, message))

    # --- what became of it

    def journey(self, contact: str | None = None, flow: str | None = None) -> JourneyView:
        """The newest journey (of a contact, through a flow). Raises LookupError where there is none."""
        found = [each.id for each in self.journeys(contact) if flow in (None, each.flow)]
        if not found:
            raise LookupError("no journey began")
        return JourneyView(self, found[-1])

    def journeys(self, contact: str | None = None) -> list[Journey]:
        """Journeys in the order they began, of all contacts or of one."""
        flows = self.engine.host.flows
        with self.engine.store.read() as tx:
            flows.refresh(tx)
            return history.journeys(tx, flows.name, contact)

    def visits(self, journey: int) -> list[Visited]:
        """The elements a journey left, in their order."""
        with self.engine.store.read() as tx:
            return history.visits(tx, journey)

    def path(self, journey: int) -> list[tuple[str, str]]:
        """The elements a journey left, each with the exit it took."""
        return [(visit.element, visit.exit) for visit in self.visits(journey)]

    def taken(self) -> frozenset[Taken]:
        """Every exit that was taken, by whichever journey."""
        with self.engine.store.read() as tx:
            return history.taken(tx)

    def goals(self) -> list[tuple[int, str]]:
        """The goals reached: journey and name."""
        with self.engine.store.read() as tx:
            return history.goals(tx)

    def sent(self, contact: str | None = None) -> list[Sent]:
        """The messages that left, in their order."""
        about = {message.key: message for message in self.messages_now()}
        return [
            Sent(out.key, about[out.key].element, about[out.key].contact, out.channel, out.destination, out.at,
                 out.parts, out.sender)
            for out in self.post.taken
            if contact is None or about[out.key].contact == contact
        ]  # fmt: skip

    def messages(self) -> dict[MessageKey, str]:
        """The state of every message."""
        return {message.key: message.state for message in self.messages_now()}

    def messages_now(self) -> list[MessageStand]:
        """Every message as it stands."""
        with self.engine.store.read() as tx:
            return history.messages(tx)

    def message(self, element: str, contact: str | None = None) -> MessageStand:
        """The newest message of an element, which was sent. Raises NoMessage."""
        found = [each for each in self.messages_now() if each.element == element and contact in (None, each.contact)]
        if not found:
            raise NoMessage(f"there is no message of `{element}`")
        if found[-1].sent_at is None:
            raise NoMessage(f"the message of `{element}` was not sent: it is {found[-1].state}")
        return found[-1]

    @property
    def do_not_contact(self) -> list[Block]:
        """The Do Not Contact list as it stands."""
        with self.engine.store.read() as tx:
            return [block for block, _ in do_not_contact.listed(tx)]

    def on_do_not_contact(self, contact: str, channel: str, sender: str | None = None) -> bool:
        """Whether an entry for any sender stops the channel for a contact; with `sender`, an entry at either level
        that stops this sender."""
        return blocks.is_on(self.engine, contact, channel, sender)

    # --- the end

    def close(self) -> None:
        """End of the world."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- inside

    def _instant(self, when: Instant | datetime | str) -> Instant:
        if isinstance(when, str):
            return parse_instant(when, self.zone)
        return instant(when) if isinstance(when, datetime) else when

    def _stand(self, key: MessageKey) -> MessageStand:
        return next(message for message in self.messages_now() if message.key == key)


@lru_cache(maxsize=1)
def _installed() -> Mapping[str, type[Element]]:
    """All elements that are installed; to look for them takes longer than all the rest of a world's beginning."""
    return catalogue()


def _project(project: Project | Path | str | None) -> Project | None:
    if project is None or isinstance(project, Project):
        return project
    loaded, problems = load_project(Path(project))
    if loaded is None:
        raise ValueError("\n".join(problem.render() for problem in problems))
    return loaded
