"""A crowd whose every decision is fixed, played twice: by the simulator, and by the real engine in a world."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from heapq import heappop, heappush
from types import SimpleNamespace
from typing import Any

from tactful.elements import catalogue
from tactful.elements.contract import Contact, Element, Instant, MessageKey, Send, SendMessage
from tactful.engine.addresses import destination_of
from tactful.engine.channels import Accepted, Outcome, Outgoing, Refused
from tactful.engine.consent import Consent, record
from tactful.engine.contacts_file import ContactFields
from tactful.engine.incoming import Incoming
from tactful.engine.optout.inbox import Inbound
from tactful.engine.project import Project
from tactful.engine.simulation.behaviour import Rates
from tactful.engine.simulation.conduct import Drawing
from tactful.engine.simulation.life import Life
from tactful.engine.simulation.machine import Machine
from tactful.engine.simulation.outcome import Tally
from tactful.engine.simulation.passage import DO, ENTER, NO, OPT_OUT, Passage
from tactful.engine.simulation.spot import Sending, Spot
from tactful.engine.testing import World
from tactful.flows.model import ByEvent, ByHand, Flow

MONDAY = 1_772_442_000_000  # 2 March 2026, 09:00 UTC
HOUR = 3_600_000
DAY = 24 * HOUR


@cache
def elements() -> Mapping[str, type[Element]]:
    return catalogue()


@dataclass
class Seen:
    """What became of a crowd: for each contact their visits (journey, element, exit, when left), their messages
    (journey, step, state) and the Do Not Contact entries of their addresses."""

    visits: dict[str, list[tuple[int, str, str, Instant]]] = field(default_factory=dict)
    messages: dict[str, dict[tuple[int, int], str]] = field(default_factory=dict)
    blocks: set[tuple[str, str, str, str]] = field(default_factory=set)
    standing: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    goals: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Crowd:
    """Who comes when, and how they behave."""

    flow: Flow
    rates: Rates
    seed: int
    contacts: Sequence[tuple[Instant, ContactFields]]
    days: int = 10
    project: Project | None = None
    elements: Mapping[str, type[Element]] = field(default_factory=elements)
    agreed: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def until(self) -> Instant:
        return MONDAY + self.days * DAY

    def machine(self) -> Machine:
        project = self.project
        if project is None:
            return Machine(self.flow, MONDAY, self.until)
        links = project.opt_out.links
        return Machine(self.flow, MONDAY, self.until, project.policy, project.transactional, links)

    def conduct(self, machine: Machine) -> Drawing:
        project = self.project
        if project is None:
            return Drawing(machine, self.rates, self.seed)
        senders = {name: sender.channel for name, sender in (project.senders or {}).items()}
        return Drawing(machine, self.rates, self.seed, senders, project.keyword_rules)

    def event(self) -> str | None:
        return self.flow.entry.event if isinstance(self.flow.entry, ByEvent) else None


# --- By the simulator ----------------------------------------------------------------------------


class Watch:
    def __init__(self, seen: Seen) -> None:
        self.seen = seen

    def left(self, life: Life, journey: Passage, element: str, exit: str) -> None:
        self.seen.visits.setdefault(life.contact.key, []).append((journey.number, element, exit, life.now))

    def became(self, life: Life, journey: Passage, element: str, step: int, state: str) -> None:
        self.seen.messages.setdefault(life.contact.key, {})[journey.number, step] = state


def simulated(crowd: Crowd) -> tuple[Seen, Tally]:
    machine = crowd.machine()
    seen, tally = Seen(), Tally(machine)
    conduct = crowd.conduct(machine)
    for number, (came_at, who) in enumerate(crowd.contacts, 1):
        life = Life(
            machine, conduct, tally, contact_of(number, who), crowd.until, Watch(seen),
            crowd.agreed.get(who.key, frozenset()),
        )  # fmt: skip
        conduct.begin(life, came_at, crowd.event())
        if isinstance(crowd.flow.entry, ByHand):
            life.plan(came_at + 1, (ENTER, None, None))
        life.live(came_at)
        for journey in life.running:
            assert journey.spot is not None
            seen.standing.setdefault(who.key, []).append((journey.number, journey.spot.id))
        seen.blocks |= {(each.destination, each.channel, each.sender, each.covers) for each in life.mail.blocks}
    seen.goals = dict(tally.goals)
    return seen, tally


def contact_of(number: int, who: ContactFields) -> Contact:
    return Contact(number, who.key, dict(who.attributes), who.tags, who.email, who.phone, who.time_zone)


# --- By the engine -------------------------------------------------------------------------------


class Plans:
    """What the conduct sees of a contact's life: enough to plan, and nothing else."""

    def __init__(self, contact: Contact, until: Instant, tally: Tally) -> None:
        self.contact = contact
        self.until = until
        self.tally = tally
        self.now: Instant = 0
        self.coming: list[tuple[Instant, int, Any]] = []
        self.orders = 0

    def plan(self, at: Instant, deed: Any) -> None:
        self.orders += 1
        heappush(self.coming, (at, self.orders, deed))


class Played:
    """A crowd in a world."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        machine = crowd.machine()
        self.machine = machine
        self.conduct = crowd.conduct(machine)
        project = crowd.project
        self.world = World(MONDAY, elements=crowd.elements, project=project)
        self.world.post = self  # type: ignore[assignment] # the connector
        tally = Tally(machine)
        self.plans = {
            who.key: Plans(contact_of(number, who), crowd.until, tally)
            for number, (_, who) in enumerate(crowd.contacts, 1)
        }

    def send(self, batch: Sequence[Outgoing]) -> Iterator[tuple[MessageKey, Outcome]]:
        for each in batch:
            stand = next(message for message in self.world.messages_now() if message.key == each.key)
            journey = next(journey for journey in self.world.journeys() if journey.id == each.key.journey)
            plans = self.plans[stand.contact]
            plans.now = self.world.clock.now()
            spot = self.machine.spots[stand.element]
            number = SimpleNamespace(number=journey.entry_number)
            key = MessageKey(journey.entry_number, each.key.step)
            message = SimpleNamespace(spot=spot, sending=self.sending(spot), journey=number, step=key.step, key=key)
            taken = self.conduct.answers(plans, message)  # type: ignore[arg-type]
            yield each.key, Accepted() if taken else Refused("no", True)

    def sending(self, spot: Spot) -> Sending:
        element = spot.node.element
        assert isinstance(element, Send)
        assert element.sends is not None
        return self.machine.sending(SendMessage(element.sends, element.sender, element.purpose, element.valid_for))

    def run(self) -> Seen:
        world, crowd = self.world, self.crowd
        world.publish(crowd.flow)
        coming = [(came_at, who) for came_at, who in crowd.contacts]
        while True:
            at, key = min(((plans.coming[0][0], key) for key, plans in self.plans.items() if plans.coming),
                          default=(crowd.until + 1, ""))  # fmt: skip
            due = world.settle()
            if coming and coming[0][0] <= at and (due is None or coming[0][0] < due):
                came_at, who = coming.pop(0)
                world.until(came_at)
                self.agree(who.key)  # before they are known: a segment may bring them in at once
                world.put(who)
                plans = self.plans[who.key]
                self.conduct.begin(plans, came_at, crowd.event())  # type: ignore[arg-type]
                if isinstance(crowd.flow.entry, ByHand):
                    plans.plan(came_at + 1, (ENTER, None, None))
            elif due is not None and due <= at:
                if due > crowd.until:
                    return self.seen()
                world.until(due)
            elif at > crowd.until:
                return self.seen()
            else:
                world.until(at)
                self.do(key, heappop(self.plans[key].coming)[2])

    def do(self, contact: str, deed: Any) -> None:
        name, data, about = deed
        world = self.world
        if name is OPT_OUT:
            self.opt_out(contact, about[0])
        elif name is NO:
            world.tell(Incoming(data, message=self.real(contact, about[0])))
        elif name is DO:
            text, sending, key = about
            if self.crowd.project is not None and sending.sender in (self.crowd.project.senders or {}):
                address = (
                    self.plans[contact].contact.email if "@" in sending.sender else self.plans[contact].contact.phone
                )
                world.inbox.receive(Inbound(sending.sender, address or "", text), world.clock.now())
                world.settle()
            else:
                world.happens("replied", message=self.real(contact, key), text=text, sender=sending.sender)
        elif name is ENTER:
            world.enter(self.crowd.flow.id, contact)
        else:
            message = None if about is None else self.real(contact, about)
            world.tell(Incoming(name, contact, message, data))

    def agree(self, contact: str) -> None:
        who, now = self.plans[contact].contact, self.world.clock.now()
        places = {channel: destination_of(who, channel) for channel in self.crowd.agreed.get(contact, ())}
        with self.world.engine.store.write() as tx:
            record(tx, [Consent(to, channel, now, "a form") for channel, to in places.items() if to is not None])

    def opt_out(self, contact: str, key: MessageKey) -> None:
        from tactful.engine.testing.links import opt_out_by_link

        opt_out_by_link(self.world.engine, self.crowd.project, self.real(contact, key), self.world.clock.now())
        self.world.settle()

    def real(self, contact: str, key: MessageKey) -> MessageKey:
        journey = next(each.id for each in self.world.journeys(contact) if each.entry_number == key.journey)
        return MessageKey(journey, key.step)

    def seen(self) -> Seen:
        world, seen = self.world, Seen()
        numbers = {}
        for _, who in self.crowd.contacts:
            for journey in world.journeys(who.key):
                numbers[journey.id] = journey.entry_number
                for visit in world.visits(journey.id):
                    found = journey.entry_number, visit.element, visit.exit, visit.left_at
                    seen.visits.setdefault(who.key, []).append(found)
                if journey.element is not None:
                    seen.standing.setdefault(who.key, []).append((journey.entry_number, journey.element))
        for message in world.messages_now():
            if message.state not in ("queued", "held"):
                messages = seen.messages.setdefault(message.contact, {})
                state = "sent" if message.state == "delivered" else message.state
                messages[numbers[message.key.journey], message.key.step] = state
        seen.blocks = {(each.destination, each.channel, each.sender, each.covers) for each in world.do_not_contact}
        for _, name in world.goals():
            seen.goals[name] = seen.goals.get(name, 0) + 1
        return seen


def played(crowd: Crowd) -> Seen:
    game = Played(crowd)
    try:
        return game.run()
    finally:
        game.world.close()
