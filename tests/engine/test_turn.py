"""A contact's turn: what comes first, what counts, and whose trouble stays whose."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.random_flows import OWN_EVENTS, flow_texts

from tactful.elements import catalogue
from tactful.elements.contract import (
    AddToDoNotContact,
    Await,
    Effect,
    Element,
    Event,
    Leave,
    MessageKey,
    ReachGoal,
    Send,
    SendMessage,
    SetValues,
    Stay,
    UpdateContact,
    Visit,
)
from tactful.elements.options.channel import MESSAGE_EVENTS
from tactful.elements.options.template import Template
from tactful.engine.clock import SetClock
from tactful.engine.contacts import put_contacts
from tactful.engine.contacts_file import ContactFields
from tactful.engine.incoming import Incoming
from tactful.engine.testing import World
from tactful.flows.load import load_sources

HOUR = 3_600_000
MONDAY = 1_772_442_000_000
NewWorld = Callable[..., World]

ONE_AFTER_ANOTHER = """
flow: basket
entry: {event: began, again: always}
stop_when: [{event: purchased}]
elements:
  first: {type: wait_for_event, event: ping, within: 10 hours, next: {happened: second, timed_out: end}}
  second: {type: wait_for_event, event: purchased, within: 10 hours, next: {happened: never, timed_out: end}}
  never: {type: add_to_do_not_contact, channel: email}
"""


# --- several events in one batch


def test_a_stop_rule_acts_before_a_wait_also_within_one_batch(world: World) -> None:
    """Two events told together mean what they mean told one after the other."""
    world.publish(ONE_AFTER_ANOTHER)
    world.contact("ana@example.com")
    world.happens("began", "ana@example.com")
    world.engine.host.tell(
        [Incoming("ping", "ana@example.com"), Incoming("purchased", "ana@example.com")], world.clock.now()
    )
    assert world.path(1) == [("first", "happened"), ("second", "(stopped)")]
    assert world.do_not_contact == []


def test_a_stop_rule_acts_before_the_wait_that_a_late_timer_leads_to(world: World) -> None:
    world.publish(ONE_AFTER_ANOTHER.replace("timed_out: end", "timed_out: second", 1))
    world.contact("ana@example.com")
    world.happens("began", "ana@example.com")
    assert isinstance(world.clock, SetClock)
    world.clock.advance(20 * HOUR)  # nothing ran; the first wait is over for ten hours
    world.happens("purchased", "ana@example.com")
    assert world.path(1) == [("first", "timed_out"), ("second", "(stopped)")]
    assert world.do_not_contact == []


@given(flow_texts(), st.integers(0, 2**32))
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_events_told_together_do_what_they_do_one_by_one(text: str, seed: int) -> None:
    elements = catalogue()
    flow = load_sources({"flow.yaml": text}, elements).flow
    assert flow is not None
    outcomes = []
    for together in (True, False):
        chance = random.Random(seed)
        world = World(MONDAY, elements=elements)
        try:
            for key in ("ana", "bo"):
                world.contact(key, email=f"{key}@example.com", country="HR", orders=5, birthday="1996-02-29")
            world.publish(flow)
            world.enter(flow.id, "ana", "bo")
            for _ in range(4):
                events = [_some_event(world, chance) for _ in range(chance.randrange(1, 6))]
                now = world.clock.now()
                for batch in [events] if together else [[event] for event in events]:
                    world.engine.host.tell(batch, now)
                world.advance(chance.choice((HOUR, 30 * HOUR)))
            # Told together, journeys of several contacts begin in another order: their numbers may differ.
            journeys = sorted(
                (
                    j.contact,
                    j.entry_number,
                    j.state,
                    j.element or "",
                    j.due_at or 0,
                    str(dict(j.values)),
                    world.path(j.id),
                )
                for j in world.journeys()
            )
            goals = sorted(goal[1:] for goal in world.goals())
            outcomes.append((journeys, sorted(world.messages().values()), sorted(world.do_not_contact, key=str), goals))
        finally:
            world.close()
    assert outcomes[0] == outcomes[1]


def _some_event(world: World, chance: random.Random) -> Incoming:
    sent = sorted(world.sent(), key=lambda each: (each.contact, each.key))
    data = {"value": 150, "shop": "web", "text": "Yes please"}
    at = world.clock.now() - chance.choice((0, 0, HOUR, 40 * HOUR))
    if sent and chance.random() < 0.5:
        return Incoming(chance.choice(sorted(MESSAGE_EVENTS)), None, chance.choice(sent).key, data, at)
    return Incoming(chance.choice(OWN_EVENTS), chance.choice(("ana", "bo")), None, data, at)


def test_a_contact_named_twice_enters_once(world: World) -> None:
    world.publish("flow: f\nentry: {event: x, again: always}\nelements: {rest: {type: pause, for: 1 day}}\n")
    world.contact("ana@example.com")
    first, second = world.engine.host.enter("f", ["ana@example.com", "ana@example.com"], world.clock.now())
    assert (first.journey, second.journey) == (1, None)
    assert second.why == "is named twice"
    assert len(world.journeys()) == 1


# --- time and events


LATE = """
flow: f
entry: {event: began}
settings: {sender: {email: a@acme.example}}
elements:
  mail: {type: send_email, subject: S, text: T, next: rest}
  rest: {type: pause, until: contact.visit, next: {done: opened, no_date: opened}}
  opened: {type: wait_for_event, event: opened, message: mail, within: 48 hours,
           next: {happened: yes, timed_out: no}}
  yes: {type: goal, name: opened}
  no: {type: goal, name: unopened}
"""


@pytest.mark.parametrize(("hours", "goal"), [(47, "opened"), (48, "unopened"), (60, "unopened")])
def test_what_came_too_late_counts_as_too_late_however_it_is_found(world: World, hours: int, goal: str) -> None:
    """The pause ate the time; what is found in the log had to come in time all the same."""
    world.publish(LATE)
    world.contact("ana@example.com", visit="2026-03-05 09:00")
    world.happens("began", "ana@example.com")
    world.advance(hours * HOUR)
    world.opens("mail")
    world.advance("5 days")
    assert world.goals() == [(1, goal)]


def test_a_change_of_the_contact_does_not_overtake_a_timeout(world: World) -> None:
    world.publish("""
flow: f
entry: {event: began}
elements:
  gold: {type: wait_for_change, when: contact.tier == "gold", within: 1 day, next: {happened: end, timed_out: end}}
""")
    world.contact("ana@example.com")
    world.happens("began", "ana@example.com")
    assert isinstance(world.clock, SetClock)
    world.clock.advance(7 * 24 * HOUR)  # nothing ran for a week
    world.contact("ana@example.com", tier="gold")
    assert world.path(1) == [("gold", "timed_out")]


def test_whom_a_stop_rule_would_take_out_at_once_does_not_enter(world: World) -> None:
    world.publish("""
flow: f
entry: {event: began}
settings: {sender: {email: a@acme.example}}
stop_when: [{when: contact.tier == "closed"}]
elements: {mail: {type: send_email, subject: S, text: T}}
""")
    world.contact("ana@example.com", tier="closed")
    world.contact("bo@example.com", tier="open")
    world.happens("began", "ana@example.com")
    world.happens("began", "bo@example.com")
    assert [sent.contact for sent in world.sent()] == ["bo@example.com"]
    (refused,) = world.engine.host.enter("f", ["ana@example.com"], world.clock.now())
    assert refused.why == 'stop_when: contact.tier == "closed" holds'


# --- what somebody tells


@pytest.mark.parametrize("name", ["sent", "failed", "suppressed"])
def test_nobody_can_tell_how_a_send_ended(world: World, name: str) -> None:
    """How a send ended is read off the message; told from outside it would move the journey and send all the same."""
    world.publish(LATE)
    world.contact("ana@example.com", visit="2026-03-05 09:00")
    world.refuse_next("later", final=False)
    world.happens("began", "ana@example.com")
    told = world.happens(name, message=MessageKey(1, 1))
    assert told.state == "refused"
    assert told.why is not None
    assert name in told.why
    assert world.journeys()[0].element == "mail"


@pytest.mark.parametrize(
    "bad",
    [
        Incoming("ping", "ana@example.com", data={"when": dt.date(2026, 3, 2)}),
        Incoming("ping", "ana@example.com", data={"text": "\ud800"}),
        Incoming("ping", "ana@example.com", key="\udfff"),
        Incoming("pi\ud800ng", "ana@example.com"),
        Incoming("ping", "an\ud800a@example.com"),
        Incoming("ping", "ana@example.com", at=10**30 * -1),
        Incoming("opened", message=MessageKey(10**30, 1)),
        Incoming("contact_changed", "ana@example.com"),
        Incoming("", "ana@example.com"),
        Incoming("ping", "ana@example.com", data={"text": "\\\0"}),
        Incoming("ping", "ana@example.com", key="k" * 321),
    ],
    ids=["not JSON", "half a character", "key", "name", "contact", "time", "message", "reserved", "no name", "NUL",
         "long key"],
)  # fmt: skip
def test_what_cannot_be_learnt_is_refused_and_hinders_no_other(world: World, bad: Incoming) -> None:
    world.publish(ONE_AFTER_ANOTHER)
    world.contact("ana@example.com")
    good = Incoming("began", "ana@example.com")
    told = world.engine.host.tell([good, bad, good], world.clock.now())
    assert [each.state for each in told] == ["learnt", "refused", "learnt"]
    assert told[1].why
    assert len(world.journeys()) == 2


def test_an_event_may_say_what_only_looks_like_nul_and_have_a_long_key(world: World) -> None:
    world.contact("ana@example.com")
    key = "".join(chr(0x4E00 + number) for number in range(320))
    assert world.happens("ping", "ana@example.com", key=key, text=r"\u0000").state == "learnt"
    assert world.happens("ping", "ana@example.com", key=key).state == "known"


def test_ten_thousand_journeys_of_one_contact_are_no_trouble() -> None:
    """The number of values a statement may carry is limited (SQLite: 32,766); that of journeys is not."""
    import sqlite3
    from contextlib import closing

    world = World(MONDAY)
    with closing(world.engine.store.engine.raw_connection()) as connection:
        driver = connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 40)
    world.publish("""
flow: many
entry: {event: began, again: always}
settings: {sender: {email: a@acme.example}}
elements:
  mail: {type: send_email, subject: S, text: T, next: rest}
  rest: {type: pause, for: 1 hour}
""")
    keys = [world.contact(f"c{n}@example.com") for n in range(60)]
    world.engine.host.tell([Incoming("began", key) for key in keys for _ in range(5)], world.clock.now())
    world.settle()
    sent = [each.key for each in world.sent()]
    told = world.engine.host.tell(
        [Incoming("opened", message=key, key=f"open {key}") for key in sent], world.clock.now()
    )
    assert {each.state for each in told} == {"learnt"}
    world.engine.lifecycle.pause("many", world.clock.now())
    world.engine.lifecycle.resume("many", world.clock.now())
    world.advance("1 hour")
    assert {journey.state for journey in world.journeys()} == {"done"}
    assert len(world.journeys()) == 300


# --- other people's elements


class Answers(Element):
    """Answers whatever a test wants."""

    exits: ClassVar[tuple[str, ...]] = ("done",)

    def answer(self, visit: Visit) -> Any:
        return Stay()

    def waits(self, visit: Visit) -> Any:
        return (Await("ping"),)

    def lets_time_pass(self) -> bool:
        return True

    def awaits(self, visit: Visit) -> tuple[Await, ...]:
        found: tuple[Await, ...] = self.waits(visit)
        return found

    def enter(self, visit: Visit) -> Leave | Stay:
        answer: Leave | Stay = self.answer(visit)
        return answer

    def resume(self, visit: Visit, event: Event) -> Leave | Stay:
        return self.enter(visit)

    def time_up(self, visit: Visit) -> Leave | Stay:
        return self.enter(visit)


def raise_error(visit: Visit) -> Any:
    raise RuntimeError("the element's own trouble")


def raise_what_no_text_holds(visit: Visit) -> Any:
    raise RuntimeError("half \ud800, and \0")


def with_effects(*effects: Any) -> Callable[[Visit], Any]:
    return lambda visit: Leave(effects=effects)


BROKEN: Mapping[str, Callable[[Visit], Any]] = {
    "raises": raise_error,
    "raises what no text holds": raise_what_no_text_holds,
    "answers nothing": lambda visit: None,
    "answers something else": lambda visit: "done",
    "leaves by what is no exit": lambda visit: Leave("sideways"),
    "leaves by a list": lambda visit: Leave(["done"]),  # type: ignore[arg-type]
    "effects are none": lambda visit: Leave(effects=None),  # type: ignore[arg-type]
    "effect is no effect": with_effects("send"),
    "stays until no instant": lambda visit: Stay(until=1.5),  # type: ignore[arg-type]
    "stays until a datetime": lambda visit: Stay(until=dt.datetime(2026, 3, 2, tzinfo=dt.UTC)),  # type: ignore[arg-type]
    "stays until the end of all time": lambda visit: Stay(until=10**30),
    "sets what is no JSON": with_effects(UpdateContact({"seen": dt.date(2026, 3, 2)})),
    "sets half a character": with_effects(UpdateContact({"name": "\ud800"})),
    "sets NUL": with_effects(UpdateContact({"name": "\0"})),
    "reaches a goal with NUL": with_effects(ReachGoal("bought\0")),
    "reaches a goal too long for any index": with_effects(ReachGoal("".join(map(chr, range(0x4E00, 0x5E00))))),
    "says NUL of why it blocks": with_effects(AddToDoNotContact("email", reason="\0")),
    "tags with a number": with_effects(UpdateContact(add_tags=(1,))),  # type: ignore[arg-type]
    "remembers what is no JSON": with_effects(SetValues({"seen": {1, 2}})),
    "blocks a channel that is none": with_effects(AddToDoNotContact("pigeon")),
    "sends though it is no send": with_effects(SendMessage("email")),
}


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("when", ["at once", "on an event", "in time"])
def test_an_element_that_breaks_the_contract_fails_its_journey_and_no_other(
    new_world: NewWorld, how: str, when: str
) -> None:
    class Broken(Answers):
        """Breaks the contract."""

        def answer(self, visit: Visit) -> Any:
            if visit.contact.key != "ana@example.com":
                return Leave()
            first = visit.now == visit.arrived_at and "came" not in visit.values
            if first and when == "on an event":
                return Stay(effects=(SetValues({"came": True}),))
            if first and when == "in time":
                return Stay(until=visit.now + HOUR, effects=(SetValues({"came": True}),))
            return BROKEN[how](visit)

    world = new_world(elements={**catalogue(), "broken": Broken})
    _run_beside_another(world)
    assert _why(world, "ana@example.com").startswith("flow 'f', element 'odd' (broken): ")
    assert [journey.state for journey in world.journeys("bo@example.com")] == ["done"]


def _run_beside_another(world: World) -> None:
    world.publish("""
flow: f
entry: {event: began}
settings: {sender: {email: a@acme.example}}
elements:
  odd: {type: broken, next: mail}
  mail: {type: send_email, subject: S, text: T}
""")
    keys = [world.contact(key) for key in ("ana@example.com", "bo@example.com")]
    world.engine.host.tell([Incoming("began", key) for key in keys], world.clock.now())
    world.settle()
    world.engine.host.tell([Incoming("ping", key) for key in keys], world.clock.now())
    world.advance("2 hours")


def _why(world: World, contact: str) -> str:
    (journey,) = world.journeys(contact)
    assert journey.state == "failed", journey
    assert journey.why is not None
    return journey.why


@pytest.mark.parametrize("wrong", [raise_error, lambda visit: None, lambda visit: ("ping",)])
def test_an_element_that_cannot_say_what_it_awaits_fails_its_journey(
    new_world: NewWorld, wrong: Callable[[Visit], Any]
) -> None:
    class Broken(Answers):
        """Knows at first what it awaits, and then no more."""

        def waits(self, visit: Visit) -> Any:
            return (Await("ping"),) if visit.now == visit.arrived_at else wrong(visit)

        def answer(self, visit: Visit) -> Any:
            return Stay() if visit.contact.key == "ana@example.com" else Leave()

    world = new_world(elements={**catalogue(), "broken": Broken})
    _run_beside_another(world)
    world.advance(1)
    world.happens("ping", "ana@example.com")
    assert _why(world, "ana@example.com").startswith("flow 'f', element 'odd' (broken): ")
    assert [journey.state for journey in world.journeys("bo@example.com")] == ["done"]


class TwiceSender(Send):
    """Sends, and sends again from the same visit."""

    sends: ClassVar[str | None] = "email"

    def parts(self) -> Mapping[str, Template]:
        return {"text": Template("Hello")}

    def resume(self, visit: Visit, event: Event) -> Leave | Stay:
        again: tuple[Effect, ...] = (SendMessage("email"),)
        return Stay(effects=again) if visit.contact.key == "ana@example.com" else Leave("sent")


def test_a_visit_sends_one_message(new_world: NewWorld) -> None:
    world = new_world(elements={**catalogue(), "broken": TwiceSender})
    _run_beside_another(world)
    assert "second message" in _why(world, "ana@example.com")
    assert [journey.state for journey in world.journeys("bo@example.com")] == ["done"]


def test_a_send_of_an_unknown_channel_fails_its_journey(new_world: NewWorld) -> None:
    class Pigeon(TwiceSender):
        """Sends by pigeon."""

        def enter(self, visit: Visit) -> Leave | Stay:
            return Stay(effects=(SendMessage("pigeon"),))

    world = new_world(elements={**catalogue(), "broken": Pigeon})
    _run_beside_another(world)
    assert "pigeon" in _why(world, "ana@example.com")


def test_a_contact_in_a_zone_nobody_knows_goes_by_the_flows(world: World) -> None:
    """Zones come and go with the system's database of them; a contact who has such a one stops nobody."""
    world.publish("""
flow: f
entry: {event: began}
settings: {sender: {email: a@acme.example}, quiet_hours: {from: "21:00", until: "08:00"}, time_zone: Asia/Tokyo}
elements: {mail: {type: send_email, subject: S, text: T}}
""")
    fields = [ContactFields("ana", "ana@example.com", time_zone="Mars/Olympus"), ContactFields("bo", "bo@example.com")]
    put_contacts(world.engine.host, fields, world.clock.now())
    world.engine.host.tell([Incoming("began", "ana"), Incoming("began", "bo")], world.clock.now())
    world.settle()
    assert len(world.sent()) == 2  # 18:00 in Tokyo


def test_a_change_that_changes_nothing_is_no_change(new_world: NewWorld) -> None:
    class Watcher(Answers):
        """Leaves on any change of the contact."""

        def waits(self, visit: Visit) -> Any:
            return (Await("contact_changed"),)

        def resume(self, visit: Visit, event: Event) -> Leave | Stay:
            return Leave()

    world = new_world(elements={**catalogue(), "watch": Watcher})
    world.publish("flow: f\nelements: {see: {type: watch}}\n")
    world.publish("flow: g\nentry: {event: began}\nelements: {set: {type: update_contact, set: {tier: gold}}}\n")
    world.contact("ana@example.com", tier="gold")
    world.enter("f", "ana@example.com")
    world.happens("began", "ana@example.com")
    assert world.journeys("ana@example.com")[0].state == "active"
