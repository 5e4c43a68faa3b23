"""Plays a plan in a world: does what makes a journey follow it, and notes that and what came of it as a scenario."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

from tactful.elements.contract import Element, Send
from tactful.elements.options.channel import CHANNELS, MESSAGE_EVENTS
from tactful.elements.options.duration import Duration
from tactful.elements.options.expression import CONTACT_FIELDS
from tactful.elements.options.wall_time import wall_of
from tactful.engine.contacts_file import ContactFields
from tactful.engine.project import Project
from tactful.engine.testing.acting import Actor, Missed
from tactful.engine.testing.coverage import Taken
from tactful.engine.testing.generate.people import as_contact
from tactful.engine.testing.generate.plans import Plan
from tactful.engine.testing.generate.rehearsal import Changing, Happening, Passing, Stimulus
from tactful.engine.testing.generate.writing import said, scalar
from tactful.engine.testing.journey import JourneyView
from tactful.engine.testing.step_reading import ACT_OF
from tactful.engine.testing.steps import (
    Act,
    After,
    Blocks,
    Changes,
    Ended,
    Enter,
    Expectation,
    Fails,
    GoalReached,
    Happens,
    Listed,
    OptsOut,
    Replies,
    Reported,
    StandsAt,
    Took,
    Until,
    WasHeld,
    WasSent,
    WasSuppressed,
)
from tactful.engine.testing.world import World
from tactful.flows.model import ByEvent, BySegment, Flow

_MOST_ACTS = 100
_SETTLES = frozenset({"held", "suppressed"})


@dataclass(frozen=True, slots=True)
class Played:
    """A plan that was followed to its end: the contact and the steps of a scenario that shows it, and every exit taken
    on the way."""

    contact: Mapping[str, Any]
    steps: tuple[Act | Expectation, ...]
    taken: frozenset[Taken]


@dataclass(frozen=True, slots=True)
class Strayed:
    """A plan that was not followed; why, in words."""

    why: str


@dataclass(frozen=True, slots=True)
class Stage:
    """Where plans are played: a flow, when scenarios begin, and what is around it."""

    flow: Flow
    at: str
    project: Project | None
    elements: Mapping[str, type[Element]]

    @property
    def time_zone(self) -> str:
        """In which `at` is read for a contact without a zone of their own, as in scenarios."""
        return self.flow.settings.time_zone or "UTC"


def play(stage: Stage, plan: Plan, contact: Mapping[str, Any], entry: Mapping[str, Any],
         stimuli: Mapping[int, Stimulus]) -> Played | Strayed:  # fmt: skip
    """Play a plan for a contact (as scenarios write them), `entry` being what its first event brings."""
    who = as_contact(contact)
    zone = who.time_zone or stage.time_zone
    # Who is in the segment enters the moment they are there: too early where a message must be made to fail first.
    later = isinstance(stage.flow.entry, BySegment) and _needs_preparing(stage.flow, plan)
    if later:
        contact = {name: value for name, value in contact.items() if name in CONTACT_FIELDS}
    first = as_contact(contact)
    with World(stage.at, time_zone=zone, project=stage.project, elements=stage.elements) as world:
        player = _Player(stage, world, who.key, plan, stimuli)
        world.publish(stage.flow)
        world.put(ContactFields(who.key, who.email, who.phone, who.time_zone, first.attributes, first.tags))
        try:
            player.play(entry, Changes(ContactFields("", attributes=who.attributes, tags=who.tags)) if later else None)
        except Missed as missed:
            return Strayed(f"{missed.expected} was needed; instead {missed.instead}")
        except _OffPlan as off:
            return Strayed(str(off))
        except Exception as error:  # noqa: BLE001 — anybody's element may raise anything
            return Strayed(f"the engine did not go on: {type(error).__name__}: {error}")
        return Played(contact, tuple(player.steps), world.taken())


class _OffPlan(Exception):
    """The journey did not go as planned."""


class _Player:
    """A plan while it is played: used once, then thrown away."""

    def __init__(self, stage: Stage, world: World, contact: str, plan: Plan, stimuli: Mapping[int, Stimulus]) -> None:
        self.steps: list[Act | Expectation] = []
        self._flow = stage.flow
        self._world = world
        self._contact = contact
        self._plan = plan
        self._stimuli = stimuli
        self._actor = Actor(world, contact)
        self._prepared: set[int] = set()
        self._blocked: set[str] = set()

    def play(self, entry: Mapping[str, Any], change: Changes | None) -> None:
        """Enter, after a change of the contact where there is one, and go on to the end of the plan."""
        self._prepare(0)
        if change is not None:
            self._do(change)
        if not self._world.journeys(self._contact):  # else to be in a segment was enough
            by = self._flow.entry
            self._do(Happens(by.event, entry) if isinstance(by, ByEvent) else Enter(self._flow.id, entry))
        journeys = self._world.journeys(self._contact)
        if not journeys:
            raise _OffPlan("nobody entered the flow")
        journey = JourneyView(self._world, journeys[0].id)
        for _ in range(_MOST_ACTS):
            hops = self._hops(journey)
            if hops == len(self._plan):
                self._conclude()
                return
            before = self._stand(journey)
            self._go_on(journey, hops)
            if self._stand(journey) == before:
                word, value = said([step for step in self.steps if isinstance(step, Act)][-1])
                raise _OffPlan(f"`{self._plan[hops].element}` does not go on by `{word}: {scalar(value)}`")
        raise _OffPlan(f"after {_MOST_ACTS} acts it was still not there")

    def _stand(self, journey: JourneyView) -> tuple[object, ...]:
        """All that changes when a journey goes on, or comes nearer to it."""
        row = journey.row
        return row.step, row.state, row.due_at, self._world.clock.now()

    def _hops(self, journey: JourneyView) -> int:
        """How much of the plan was taken."""
        went = [(visit.element, visit.exit) for visit in journey.visits]
        for number, (hop, taken) in enumerate(zip(self._plan, journey.visits, strict=False)):
            if hop != (taken.element, taken.exit):
                why = f" ({taken.why})" if taken.why else ""
                why = why or self._why(number)
                raise _OffPlan(f"`{hop.element}` was left by `{taken.exit}`, not by `{hop.exit}`{why}")
        hops = min(len(went), len(self._plan))
        if hops < len(self._plan) and journey.stands_at is None:
            raise _OffPlan(f"the journey ended before: {journey.state}" + (f" ({journey.why})" if journey.why else ""))
        return hops

    def _why(self, number: int) -> str:
        """What became of the message of a hop, where it was one that sends."""
        about = [each for each in self._world.messages_now() if each.element == self._plan[number].element]
        return f" ({about[-1].why})" if about and about[-1].why else ""

    # --- acts

    def _go_on(self, journey: JourneyView, hops: int) -> None:
        """Do what makes the journey leave where it stands."""
        hop = self._plan[hops]
        if isinstance(self._flow.nodes[hop.element].element, Send):  # held: until it goes
            due = self._world.settle()
            if due is None:
                raise _OffPlan(f"the message of `{hop.element}` is neither sent nor will it be")
            self._prepare(hops)
            self._pass(due, hop.element)
            return
        self._prepare(hops + 1)
        match self._stimuli.get(hops):
            case Passing():
                if journey.row.due_at is None:
                    raise _OffPlan(f"`{hop.element}` waits for ever")
                self._pass(journey.row.due_at, hop.element)
            case Happening(event, element, data):
                self._happen(event, element, data)
            case Changing(attributes, tags):
                self._do(Changes(ContactFields("", attributes=attributes, tags=tags)))
            case None:
                raise _OffPlan(f"nothing is known that makes it leave `{hop.element}`")

    def _happen(self, event: str, element: str | None, data: Mapping[str, Any]) -> None:
        if element is None and event not in MESSAGE_EVENTS:
            self._do(Happens(event, data))
        elif element is None:
            senders = [name for channel, name in self._flow.settings.senders.items() if event in _reports(channel)]
            if event != "replied" or not senders:
                raise _OffPlan(f"no message was sent before that could be {event}")
            self._do(Replies(str(data["text"]), sender=senders[0]))
        elif event == "replied":
            self._do(Replies(str(data["text"]), to=element))
        elif event == "opted_out":
            self._do(OptsOut(element))
        elif event in ACT_OF:
            self._do(Reported(event, element, data))
        else:
            raise _OffPlan(f"no step of a scenario makes a message be `{event}`")

    def _pass(self, due: int, element: str) -> None:
        """Let time pass until a moment: by the duration that is written in the flow, where that is it."""
        zone, now = self._actor.zone, self._world.clock.now()
        for _, option in self._flow.nodes[element].element:
            if isinstance(option, Duration) and option.after(now, zone) == due:
                self._do(After(option))
                return
        when = wall_of(due, zone)
        exact = when.strftime("%Y-%m-%d %H:%M:%S").removesuffix(":00")
        self._do(Until(exact))
        if self._world.clock.now() < due:  # between two seconds
            raise _OffPlan("a moment was needed that cannot be written")

    def _prepare(self, first: int) -> None:
        """Do ahead what the messages that follow at once need to come to their exits: who is on the Do Not Contact list
        is put there before, and so is a provider that refuses."""
        for number in range(first, len(self._plan)):
            hop = self._plan[number]
            element = self._flow.nodes[hop.element].element
            if element.family == "wait":
                return
            if element.sends is None or number in self._prepared:
                continue
            self._prepared.add(number)
            if hop.exit == "failed":
                self._do(Fails(hop.element))
            elif hop.exit == "suppressed" and element.sends not in self._blocked:
                self._blocked.add(element.sends)
                self._do(Blocks(element.sends, None, there=True))
            elif hop.exit == "sent" and element.sends in self._blocked:
                self._blocked.discard(element.sends)
                self._do(Blocks(element.sends, None, there=False))

    def _do(self, act: Act) -> None:
        """Do it, and note it with what came of it."""
        world = self._world
        sent, became, goals = len(world.sent()), len(world.became), len(world.goals())
        self._actor.do(act)
        self.steps.append(act)
        new = [each.element for each in world.sent()[sent:]]
        self.steps += [WasSent(id) for id in dict.fromkeys(new) if new.count(id) == 1]
        states = [(each.message.element, each.message.state) for each in world.became[became:]]
        for id, state in dict.fromkeys(each for each in states if each[1] in _SETTLES):
            self.steps.append(WasHeld(id) if state == "held" else WasSuppressed(id))
        self.steps += [GoalReached(name) for name in dict.fromkeys(name for _, name in world.goals()[goals:])]

    def _conclude(self) -> None:
        """Note where it all came to."""
        journey = self._world.journey(self._contact)
        self.steps.append(Took(tuple(journey.path)))
        here, ended = journey.stands_at, journey.ended
        self.steps.append(StandsAt(here) if here is not None else Ended(str(ended)))
        self.steps += self._listed()

    def _listed(self) -> Iterator[Listed]:
        """The channels on which the flow, or what the contact did, closed the door for all senders."""
        for channel in sorted(channels_of(self._flow)):
            if channel not in self._blocked and self._world.on_do_not_contact(self._contact, channel):
                yield Listed(channel, None, there=True)


def _needs_preparing(flow: Flow, plan: Plan) -> bool:
    """Whether something must be done before a journey begins, or its first messages would go."""
    for hop in plan:
        if flow.nodes[hop.element].element.family == "wait":
            return False
        if hop.exit in ("failed", "suppressed"):
            return True
    return False


def _reports(channel: str) -> Set[str]:
    return CHANNELS[channel].reports if channel in CHANNELS else frozenset()


def channels_of(flow: Flow) -> Set[str]:
    """The channels a flow writes on."""
    return frozenset(node.element.sends for node in flow.nodes.values() if node.element.sends is not None)
