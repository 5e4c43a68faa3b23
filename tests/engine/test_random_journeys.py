"""Random flows, travelled at random: each journey ends or waits, and nothing raises.

Once through the pure core alone, with a host made of dictionaries, and once through the real engine.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.random_flows import OWN_EVENTS, broken_flow_texts, flow_texts

from tactful.elements import catalogue
from tactful.elements.contract import Contact, Element, Event, Message, MessageKey
from tactful.elements.options.channel import MESSAGE_EVENTS
from tactful.engine.interpreter import ACTIVE, FAILED, Journey, Visited, awaited, visit_of
from tactful.engine.rules.situation import (
    Enter,
    Happened,
    LiveFlow,
    LiveFlows,
    LookAgain,
    Outcome,
    Running,
    Situation,
    Stimulus,
    TimeCame,
)
from tactful.engine.rules.turn import turn
from tactful.engine.testing import World
from tactful.flows.load import load_sources
from tactful.flows.model import Flow

MONDAY = 1_772_442_000_000
HOUR = 3_600_000
ANA = Contact(
    1, "ana", {"country": "HR", "orders": 5, "birthday": "1996-02-29", "joined": "2026-02-01"}, frozenset({"club"}),
    "ana@example.com", "+385911234567", "Europe/Zagreb",
)  # fmt: skip


@cache
def elements() -> Mapping[str, type[Element]]:
    return catalogue()


class Travels:
    """One contact in one flow, hosted by dictionaries; chance decides what happens to them."""

    def __init__(self, flow: Flow, chance: random.Random) -> None:
        self.flow = flow
        self.chance = chance
        self.live = LiveFlows.of([LiveFlow(flow, 1)])
        self.now = MONDAY
        self.contact = ANA
        self.running: dict[int, Running] = {}
        self.ended: dict[int, Journey] = {}
        self.visits: dict[int, list[Visited]] = {}
        self.log: list[Event] = []
        self.unsent: list[tuple[MessageKey, str]] = []
        self.sent: list[MessageKey] = []
        self.learnt = 0
        self.begun = 0

    def take(self, stimulus: Stimulus) -> None:
        situation = Situation(self.contact, tuple(self.running.values()), {}, frozenset(), self.log, self.learnt)
        delta = turn(situation, [stimulus], self.live, self._next_journey, self.now)
        self.contact = delta.contact or self.contact
        self.log = [event for event in self.log if event.id not in delta.used]
        for visit in delta.visits:
            self.visits.setdefault(visit.journey, []).append(visit)
        for journey, caused in delta.deeds:
            self.unsent.append((MessageKey(journey.id, caused.step), caused.element))
        for id, journey in delta.journeys.items():
            messages = dict(self.running[id].messages) if id in self.running else {}
            for key, element in self.unsent:
                if key.journey == id and (element not in messages or messages[element].step < key.step):
                    messages[element] = Message(key.step, "queued", None)
            if journey.state == ACTIVE:
                self.running[id] = Running(journey, self.flow, messages)
            else:
                self.running.pop(id, None)
                self.ended[id] = journey
        self.unsent = [(key, element) for key, element in self.unsent if key.journey not in delta.withdrawn]
        self.hold_what_must_hold()

    def _next_journey(self) -> int:
        self.begun += 1
        return self.begun

    def hold_what_must_hold(self) -> None:
        for running in self.running.values():
            journey = running.journey
            assert journey.element in self.flow.nodes
            visit = visit_of(self.flow, journey, self.contact, running.messages, self.now)
            assert journey.due_at is not None or awaited(self.flow, visit), "it ends or waits"
        for journey in self.ended.values():
            assert journey.state != FAILED, journey.why
            assert (journey.element, journey.due_at) == (None, None)
        for visits in self.visits.values():
            assert [visit.step for visit in visits] == list(range(1, len(visits) + 1)), "no step is skipped or repeated"

    def go_on(self) -> None:
        """One random thing happens."""
        match self.chance.randrange(5):
            case 0:
                self.now += self.chance.choice((1, HOUR, 30 * HOUR, 24 * 60 * HOUR))
                self.take(TimeCame())
            case 1 if self.unsent:
                key, element = self.unsent.pop(self.chance.randrange(len(self.unsent)))
                state = self.chance.choice(("sent", "sent", "sent", "failed", "suppressed"))
                self.sent.append(key)
                self._set_message(key, element, state)
            case 2:
                self.happens(Event(self.chance.choice(OWN_EVENTS), self.now, {"value": 150, "shop": "web"}))
            case 3 if self.sent:
                name = self.chance.choice(sorted(MESSAGE_EVENTS))
                self.happens(Event(name, self.now, {"text": "Yes please"}, self.chance.choice(self.sent)))
            case _:
                self.take(LookAgain())

    def _set_message(self, key: MessageKey, element: str, state: str) -> None:
        message = Message(key.step, state, self.now if state == "sent" else None)
        running = self.running.get(key.journey)
        if running is not None:
            self.running[key.journey] = running._replace(messages={**running.messages, element: message})
        self.take(Outcome(key, element, message))

    def happens(self, event: Event) -> None:
        self.learnt += 1
        event = event._replace(id=self.learnt)
        self.log.append(event)
        self.take(Happened(event))


def travel(text: str, seed: int) -> None:
    loaded = load_sources({"flow.yaml": text}, elements())
    if loaded.flow is None:
        assert loaded.errors
        assert all(problem.place.line >= 1 for problem in loaded.errors)
        return
    travels = Travels(loaded.flow, random.Random(seed))
    travels.take(Enter(loaded.flow.id, Event("by_hand", MONDAY)))
    for _ in range(30):
        travels.go_on()


@given(flow_texts() | broken_flow_texts(), st.integers(0, 2**32))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_random_flows_are_travelled_to_their_end_or_a_wait(text: str, seed: int) -> None:
    travel(text, seed)


@pytest.mark.full
@given(flow_texts() | broken_flow_texts(), st.integers(0, 2**32))
@settings(max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_ten_thousand_random_flows(text: str, seed: int) -> None:
    travel(text, seed)


@given(flow_texts(), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_random_flows_on_the_real_engine(text: str, seed: int) -> None:
    chance = random.Random(seed)
    flow = load_sources({"flow.yaml": text}, elements()).flow
    assert flow is not None
    world = World(MONDAY, elements=elements())
    try:
        world.contact("ana", email=ANA.email, phone=ANA.phone, time_zone=ANA.time_zone, **ANA.attributes)
        world.publish(flow)
        world.enter(flow.id, "ana")
        for _ in range(12):
            _something(world, chance)
        for journey in world.journeys():
            assert journey.state in ("active", "done", "stopped"), journey.why
            steps = len(world.path(journey.id))
            assert steps == journey.step - (journey.state == ACTIVE)
    finally:
        world.close()


def _something(world: World, chance: random.Random) -> None:
    sent = world.sent()
    data: dict[str, Any] = {"value": 150, "shop": "web", "text": "Yes please"}
    match chance.randrange(4):
        case 0:
            world.advance(chance.choice((HOUR, 30 * HOUR, 24 * 20 * HOUR)))
        case 1:
            world.refuse_next("no", final=chance.random() < 0.5)
        case 2 if sent:
            world.happens(chance.choice(sorted(MESSAGE_EVENTS)), message=chance.choice(sent).key, **data)
        case _:
            world.happens(chance.choice(OWN_EVENTS), "ana", **data)
