"""Runs a scenario: its acts on a world of its own, its expectations held against what became of them.

The first step that does not hold ends it: what follows would only tell of the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tactful.elements.contract import Element
from tactful.engine.clock import SystemClock
from tactful.engine.testing.acting import Actor, Missed
from tactful.engine.testing.journey import JourneyView
from tactful.engine.testing.post import Sent
from tactful.engine.testing.report import Failure, Ran
from tactful.engine.testing.scenario_file import ScenarioFile
from tactful.engine.testing.steps import (
    Act,
    ContactIs,
    Ended,
    Expectation,
    GoalReached,
    Listed,
    NotEntered,
    Scenario,
    StandsAt,
    Step,
    Took,
    WasAnswered,
    WasHeld,
    WasNotSent,
    WasSent,
    WasSuppressed,
)
from tactful.engine.testing.trace import shown, stand, told, trace
from tactful.engine.testing.world import World

START = "2026-01-05 09:00"
"""When a scenario without `at` begins: a Monday morning, twelve weeks from any clock change."""


def run_scenario(scenario: Scenario, file: ScenarioFile, elements: Mapping[str, type[Element]]) -> Ran:
    """Run a scenario in a fresh world. It fails, and nothing is raised, whatever flows and elements do."""
    clock = SystemClock()
    began = clock.monotonic()
    zone = scenario.contact.time_zone or next((z for f in file.flows if (z := f.settings.time_zone)), None) or "UTC"
    with World(scenario.at or START, time_zone=zone, project=file.project, elements=elements) as world:
        failure = _Play(world, scenario, file).play()
        taken = world.taken()
    return Ran(scenario.name, scenario.place.line, clock.monotonic() - began, failure, taken)


class _Mark(NamedTuple):
    """How far things were when an act began: "since the last act" is since here."""

    act: str
    sent: int
    became: int
    journeys: int
    goals: int
    answered: int


class _Play:
    """A scenario while it runs: used once, then thrown away."""

    def __init__(self, world: World, scenario: Scenario, file: ScenarioFile) -> None:
        self._world = world
        self._scenario = scenario
        self._file = file
        self._contact = scenario.contact.key
        self._actor = Actor(world, self._contact)
        self._mark = self._here("the scenario began")

    def play(self) -> Failure | None:
        step = self._scenario.steps[0]
        try:
            for flow in self._file.flows:
                self._world.publish(flow)
            self._world.put(self._scenario.contact)
            for step in self._scenario.steps:
                self._take(step.what, f"`{step.word}` on line {step.place.line}")
        except Missed as missed:
            return self._failure(step, missed.expected, missed.instead)
        except Exception as error:  # noqa: BLE001 — anybody's element may raise anything: it fails this scenario alone
            return self._failure(step, "the engine to go on", f"{type(error).__name__}: {error}")
        return None

    def _failure(self, step: Step, expected: str, instead: str) -> Failure:
        return Failure(step, expected, instead, trace(self._world, self._contact, self._actor.zone), self._actor.zone)

    def _take(self, what: Act | Expectation, name: str) -> None:
        if isinstance(what, Act):
            self._mark = self._here(name)
            self._actor.do(what)
        else:
            self._expect(what)

    def _here(self, act: str) -> _Mark:
        world = self._world
        journeys, goals = len(world.journeys()), len(world.goals())
        return _Mark(act, len(world.post.taken), len(world.became), journeys, goals, len(world.answered))

    # --- expectations

    def _expect(self, expectation: Expectation) -> None:
        match expectation:
            case WasSent(element, contains):
                self._was_sent(element, contains)
            case WasNotSent(element):
                count = sum(sent.element == element for sent in self._sent())
                self._hold(count == 0, f"no message of `{element}` {self._since}", f"{_number(count)} sent")
            case WasHeld(element):
                self._came_to("held", element)
            case WasSuppressed(element):
                self._came_to("suppressed", element)
            case WasAnswered(text):
                said = [part for out in self._world.answered[self._mark.answered :] for part in out.parts.values()]
                instead = "; ".join(shown(part) for part in said) or "nothing was answered"
                expected = f"an answer of a keyword rule that holds {text!r} {self._since}"
                self._hold(any(text in part for part in said), expected, instead)
            case GoalReached(name):
                reached = [goal for _, goal in self._world.goals()[self._mark.goals :]]
                self._hold(name in reached, f"the goal `{name}` reached {self._since}", _these(reached, "no goal was"))
            case NotEntered():
                began = self._world.journeys()[self._mark.journeys :]
                instead = f"{_these([journey.flow for journey in began], 'nothing')} was entered"
                self._hold(not began, f"nobody to enter {self._since}", instead)
            case StandsAt(element):
                journey = self._journey(f"a journey that stands at `{element}`")
                expected = f"the newest journey to stand at `{element}`"
                self._hold(journey.stands_at == element, expected, self._stand(journey))
            case Ended(element):
                journey = self._journey(f"a journey that ended at `{element}`")
                expected = f"the newest journey to have ended, at `{element}`"
                self._hold(journey.ended == element, expected, self._stand(journey))
            case Took(path):
                taken = self._journey(f"a journey by {_these(path)}").path
                self._hold(taken == list(path), f"the newest journey by {_these(path)}", f"it went by {_these(taken)}")
            case ContactIs(values):
                self._contact_is(values)
            case Listed():
                self._listed(expectation)

    def _hold(self, holds: bool, expected: str, instead: str) -> None:
        if not holds:
            raise Missed(expected, instead)

    @property
    def _since(self) -> str:
        return f"since {self._mark.act}"

    def _sent(self) -> Sequence[Sent]:
        return self._world.sent()[self._mark.sent :]

    def _was_sent(self, element: str, contains: str | None) -> None:
        since, before = self._sent(), self._world.sent()[: self._mark.sent]
        of_it = [sent for sent in since if sent.element == element]
        expected = f"exactly one message of `{element}` sent {self._since}"
        if not of_it:
            others = _these([sent.element for sent in since], "nothing")
            instead = f"{others} was sent; {self._about_message(element)}"
            if any(sent.element == element for sent in before):
                instead = f"{others} was sent since; one of `{element}` was sent before that act"
            raise Missed(expected, instead)
        self._hold(len(of_it) == 1, expected, f"{len(of_it)} were sent")
        if contains is not None and not of_it[0].says(contains):
            texts = "; ".join(f"{name}: {shown(text)}" for name, text in of_it[0].parts.items())
            raise Missed(f"a message of `{element}` that holds {contains!r}", f"it says {texts}")

    def _came_to(self, state: str, element: str) -> None:
        became = [each.message for each in self._world.became[self._mark.became :]]
        holds = any(message.element == element and message.state == state for message in became)
        self._hold(holds, f"a message of `{element}` {state} {self._since}", self._about_message(element))

    def _about_message(self, element: str) -> str:
        """What is known of an element's newest message, for who wonders where it is."""
        found = [message for message in self._world.messages_now() if message.element == element]
        if found:
            return f"the message of `{element}` is {told(found[-1], self._actor.zone)}"
        journeys = self._world.journeys(self._contact)
        where = f"the newest journey {stand(journeys[-1], self._actor.zone)}" if journeys else "no journey began"
        return f"there is no message of `{element}`: {where}"

    def _journey(self, expected: str) -> JourneyView:
        try:
            return self._world.journey(self._contact)
        except LookupError:
            raise Missed(expected, "no journey began") from None

    def _stand(self, journey: JourneyView) -> str:
        at = f", at `{journey.ended}`" if journey.ended is not None else ""
        return f"it {stand(journey.row, self._actor.zone)}{at}"

    def _contact_is(self, values: Mapping[str, Any]) -> None:
        who = self._actor.who()
        assert who is not None, "the scenario made the contact"
        own = {"id": who.key, "email": who.email, "phone": who.phone, "time_zone": who.time_zone, "tags": who.tags}
        for name, wanted in values.items():
            found = own[name] if name in own else who.attributes.get(name)
            same = found == wanted and isinstance(found, bool) == isinstance(wanted, bool)
            is_it = "the contact without" if wanted is None else "the contact's"
            expected = f"{is_it} `{name}`" + ("" if wanted is None else f" to be {_value(wanted)}")
            self._hold(same, expected, "they have none" if found is None else f"it is {_value(found)}")

    def _listed(self, listed: Listed) -> None:
        there = self._world.on_do_not_contact(self._contact, listed.channel, listed.sender)
        which = f"`{listed.channel}`" + ("" if listed.sender is None else f" from {listed.sender}")
        expected = f"the contact {'' if listed.there else 'not '}on the Do Not Contact list for {which}"
        self._hold(there == listed.there, expected, self._actor.entries())


def _number(count: int) -> str:
    return "one was" if count == 1 else f"{count} were"


def _these(names: Sequence[str], none: str = "nothing") -> str:
    return ", ".join(f"`{name}`" for name in names) or none


def _value(value: Any) -> str:
    return ", ".join(sorted(value)) or "none" if isinstance(value, frozenset) else repr(value)
