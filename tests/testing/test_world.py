"""The world of Python tests: acts, time, what is seen; restarts; freezegun."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from freezegun import freeze_time

from tactful.elements.contract import Element, MessageKey
from tactful.engine.channels import Outcome, Outgoing
from tactful.engine.compose import open_engine
from tactful.engine.incoming import Incoming
from tactful.engine.store.database import IN_MEMORY
from tactful.engine.testing import World
from tactful.engine.testing.command import scenario_files
from tactful.engine.testing.scenario_file import read_scenarios
from tactful.engine.testing.scenario_run import run_scenario
from tactful.engine.testing.steps import Act, Restart, Step
from tactful.engine.testing.world import NoMessage

ROOT = Path(__file__).parents[2]
ANA = "ana@example.com"


@pytest.fixture
def world(folder: Path) -> Iterator[World]:
    """A world that began on Monday 2026-03-02 at nine in Zagreb, with Ana in it and her basket left."""
    with World("2026-03-02 09:00", time_zone="Europe/Zagreb") as world:
        world.flow("flow.yaml")
        world.contact(ANA, first_name="Ana", phone="+385 91 123 4567")
        world.contact(ANA, email=ANA)
        world.happens("basket_abandoned", ANA, value=35)
        yield world


def test_a_journey_is_looked_at_as_it_stands_now(world: World) -> None:
    journey = world.journey(ANA)
    assert (journey.flow, journey.state, journey.stands_at, journey.ended) == ("win-back", "active", "opened", None)
    assert journey.path == ["offer", "opened"]
    assert [(sent.element, sent.parts["subject"], sent.sender) for sent in journey.sent] == [
        ("offer", "We kept your basket, Ana", "news@acme.example")
    ]
    assert repr(journey) == "<journey 1 through win-back: stands at opened>"
    world.opens("offer")
    world.advance(days=1)
    world.replies("ask", "Yes!")
    assert (journey.state, journey.stands_at, journey.ended, journey.why) == ("done", None, "reached", None)
    assert [visit.exit for visit in journey.visits] == ["sent", "happened", "done", "sent", "agree", "done", "done"]
    assert (journey.goals, journey.values["reply"]) == (["answered"], "Yes!")
    assert repr(journey) == "<journey 1 through win-back: done at reached>"
    with pytest.raises(LookupError, match="no journey began"):
        world.journey("bo@example.com")


@pytest.mark.parametrize(
    "go",
    [
        lambda world: world.advance("48 hours"),
        lambda world: world.advance(hours=48),
        lambda world: world.advance(days=1, hours=24),
        lambda world: world.advance(48 * 3_600_000),
        lambda world: world.until("2026-03-04 09:00"),
        lambda world: world.until(datetime(2026, 3, 4, 8, tzinfo=UTC)),
        lambda world: world.until(1_772_611_200_000),
    ],
)
def test_time_passes_however_it_is_said(world: World, go: Callable[[World], None]) -> None:
    world.until("2026-03-02 09:00")
    world.until("2026-03-01 09:00")  # never goes back
    go(world)
    assert world.clock.now() == 1_772_611_200_000
    assert world.journey().ended == "unopened"
    assert [(block.destination, block.channel) for block in world.do_not_contact] == [(ANA, "email")]
    assert world.on_do_not_contact(ANA, "email")
    assert not world.on_do_not_contact(ANA, "sms")


def test_days_are_those_of_the_worlds_zone() -> None:
    with World("2026-03-28 09:00", time_zone="Europe/Zagreb") as world:
        began = world.clock.now()
        world.advance(days=1)  # the clocks go forward that night
        assert world.clock.now() - began == 23 * 3_600_000


def test_what_was_not_sent_cannot_be_acted_on(world: World) -> None:
    with pytest.raises(NoMessage, match="there is no message of `ask`"):
        world.clicks("ask")
    world.publish("flow: late\nentry: {event: late}\nsettings: {sender: {email: a@acme.example}}\nelements:\n"
                  "  note: {type: send_email, subject: s, text: t}\n")  # fmt: skip
    world.refuse_next("not now", final=False, element="note")
    world.happens("late", ANA)
    with pytest.raises(NoMessage, match="the message of `note` was not sent: it is queued"):
        world.opens("note")


def test_a_refusal_meets_the_element_it_is_meant_for(world: World) -> None:
    world.refuse_next("gone", element="ask")
    world.opens("offer")
    world.advance(days=1)
    assert [sent.element for sent in world.sent()] == ["offer"]
    assert world.messages()[MessageKey(1, 4)] == "failed"


def test_what_is_wrong_is_said_at_once(folder: Path) -> None:
    with World("2026-03-02 09:00") as world:
        with pytest.raises(ValueError, match=r"flow\.yaml:2:1: error"):
            world.publish("flow: a\nelement: {}\n")
        with pytest.raises(ValueError, match="a contact needs an id, an email or a phone number"):
            world.contact(first_name="Ana")
        with pytest.raises(LookupError, match="there is no contact 'nobody'"):
            world.on_do_not_contact("nobody", "email")
    (folder / "broken.yaml").write_text("sendres: {}")
    with pytest.raises(ValueError, match=r"broken\.yaml:1:1: error: .*sendres"):
        World(0, project="broken.yaml")


# --- replies find their message


REPLIES = """
flow: {id}
entry: {{event: go}}
settings: {{sender: {{sms: "{sender}"}}}}
elements:
  ask: {{type: send_sms, text: Will you come?, next: answer}}
  answer:
    type: wait_for_reply
    message: ask
    within: 3 days
    paths: {{agree: [yes]}}
    next: {{agree: end, otherwise: end, timed_out: end, not_sent: end}}
"""


@pytest.fixture
def asked() -> Iterator[World]:
    """Ana was asked by two flows, an hour apart, from two numbers."""
    with World(0) as world:
        world.contact("ana", phone="+385911234567")
        for id, sender in (("first", "+38595000111"), ("second", "+38595000222")):
            world.publish(REPLIES.format(id=id, sender=sender))
            world.happens("go", "ana") if id == "first" else world.enter("second", "ana")
            world.advance(hours=1)
        yield world


@pytest.mark.parametrize(
    ("data", "answered"),
    [
        ({"text": "yes", "sender": "+38595000111"}, ["first"]),
        ({"text": "yes", "sender": "+38595000222"}, ["second"]),
        ({"text": "yes"}, ["second"]),  # the newest
        ({"text": "yes", "sender": None}, ["second"]),
        ({"text": "yes", "sender": "+38595000333"}, []),  # stays the contact's own: no wait here takes those
    ],
)
def test_a_reply_goes_to_the_newest_message_from_that_sender(
    asked: World, data: dict[str, object], answered: Sequence[str]
) -> None:
    asked.tell(Incoming("replied", "ana", data=data))
    assert [journey.flow for journey in asked.journeys() if journey.state == "done"] == answered


def test_a_reply_passes_over_journeys_that_have_ended(asked: World) -> None:
    asked.happens("replied", "ana", text="yes")
    asked.happens("replied", "ana", text="yes")
    assert [journey.state for journey in asked.journeys()] == ["done", "done"]
    assert asked.happens("replied", "ana", text="yes").state == "learnt"


def test_a_reply_to_nobody_may_bring_somebody_in() -> None:
    with World(0) as world:
        world.publish("flow: f\nentry: {event: replied}\nelements: {a: {type: goal, name: answered}}\n")
        world.contact("ana", phone="+385911234567")
        world.happens("replied", "ana", text="hello", sender="+38595000111")
        assert world.journey().goals == ["answered"]


# --- restarts


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_a_restart_loses_nothing(folder: Path, kind: str) -> None:
    database = IN_MEMORY if kind == "memory" else f"sqlite:///{folder / 'it.db'}"
    with World("2026-03-02 09:00", time_zone="Europe/Zagreb", database=database) as world:
        world.flow("flow.yaml")
        world.contact(ANA, first_name="Ana")
        world.happens("basket_abandoned", ANA, value=35)
        before = world.engine
        world.restart()
        assert world.engine is not before
        world.opens("offer")
        world.until("2026-03-02 23:00")
        world.restart()
        world.advance(days=3)
        world.restart()
        world.replies("ask", "ok")
        assert world.journey().path == ["offer", "opened", "rest", "ask", "answer", "happy", "reached"]
        assert [sent.element for sent in world.sent()] == ["offer", "ask"]
        assert world.journey().goals == ["answered"]


@pytest.mark.parametrize("path", list(scenario_files(ROOT / "examples")), ids=lambda path: path.name)
def test_an_example_goes_the_same_way_with_a_restart_before_each_act(
    path: Path, elements: Mapping[str, type[Element]]
) -> None:
    file, _ = read_scenarios(path, elements)
    assert file is not None
    for scenario in file.scenarios:
        steps: list[Step] = []
        for step in scenario.steps:
            if isinstance(step.what, Act):
                steps.append(replace(step, what=Restart()))
            steps.append(step)
        ran = run_scenario(replace(scenario, steps=tuple(steps)), file, elements)
        assert ran.failure is None, ran.failure.render()


def test_a_kill_while_a_message_is_handed_over_leaves_it_unknown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    images = []
    send = world.post.send

    def killed(batch: Sequence[Outgoing]) -> Iterator[tuple[MessageKey, Outcome]]:
        images.append(world.engine.store.image())
        yield from send(batch)

    monkeypatch.setattr(world.post, "send", killed)
    world.opens("offer")
    world.advance(days=1)
    again = open_engine(IN_MEMORY, image=images[0])
    assert again.outbox.waiting() == {}
    assert again.outbox.recover(["news@acme.example"], world.clock.now()) == 1
    assert again.outbox.waiting() == {"news@acme.example": world.clock.now()}
    again.close()


def test_worlds_know_nothing_of_each_other() -> None:
    with World(0) as one, World(0) as other:
        one.contact("ana", email=ANA)
        one.publish("flow: f\nelements: {a: {type: goal, name: g}}\n")
        assert one.enter("f", "ana") == [1]
        assert other.journeys() == []
        assert other.engine.host.flows.live.by_id == {}


# --- the machine's clock


def test_a_world_goes_by_a_frozen_clock(folder: Path) -> None:
    with freeze_time("2026-03-02 08:00:00") as frozen, World() as world:
        world.flow("flow.yaml")
        world.contact(ANA, first_name="Ana")
        world.happens("basket_abandoned", ANA, value=35)
        frozen.tick(timedelta(hours=47, minutes=59))
        world.settle()
        assert world.journey().stands_at == "opened"
        frozen.move_to("2026-03-04 08:00:00")
        world.settle()
        assert world.journey().ended == "unopened"
        assert world.journey().row.ended_at == 1_772_611_200_000


def test_a_frozen_night_holds_what_a_frozen_morning_sends(folder: Path) -> None:
    with freeze_time("2026-03-02 22:00:00") as frozen, World() as world:
        world.flow("flow.yaml")
        world.contact(ANA)
        world.happens("basket_abandoned", ANA, value=35)
        assert list(world.messages().values()) == ["held"]
        frozen.move_to("2026-03-03 07:00:00")  # eight in Zagreb
        world.settle()
        assert [sent.element for sent in world.sent()] == ["offer"]


def test_only_who_moves_the_clock_lets_time_pass() -> None:
    with World() as world, pytest.raises(RuntimeError, match="goes by the machine's clock"):
        world.advance(hours=1)
