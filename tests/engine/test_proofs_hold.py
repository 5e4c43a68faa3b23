"""No random journey does what a proof says none does: the proofs, against the pure core."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.engine.test_random_journeys import ANA, HOUR, MONDAY, Travels, elements
from tests.random_flows import OWN_EVENTS, SENDERS, SENDS, flow_texts

from tactful.elements.contract import Event
from tactful.elements.options.channel import MESSAGE_EVENTS
from tactful.engine.interpreter import DONE
from tactful.engine.rules.situation import Enter, TimeCame
from tactful.flows.load import load_sources
from tactful.flows.model import SenderFacts, Surroundings
from tactful.flows.prove import prove
from tactful.flows.prove.opt_outs import offer
from tactful.flows.prove.ways import Ways

DAY = 24 * HOUR
WORDS = {SENDERS["sms"]: frozenset({"STOP"})}


class PromptTravels(Travels):
    """Messages go out at once and timers fire on time, as the figures of proofs count; the contact lives in UTC."""

    def __init__(self, flow, chance):
        super().__init__(flow, chance)
        self.contact = ANA._replace(time_zone="UTC")
        self.went_out = {}  # journey -> [(element, when)]

    def take(self, stimulus):
        super().take(stimulus)
        while self.unsent:
            key, element = self.unsent.pop(0)
            state = self.chance.choice(("sent", "sent", "sent", "sent", "failed", "suppressed"))
            if state == "sent":
                self.sent.append(key)
                self.went_out.setdefault(key.journey, []).append((element, self.now))
            self._set_message(key, element, state)

    def go_on(self):
        match self.chance.randrange(5):
            case 0:
                self.happens(Event(self.chance.choice(OWN_EVENTS), self.now, {"value": 150, "shop": "web"}))
            case 1 | 2 if self.sent:
                name = self.chance.choice(sorted(MESSAGE_EVENTS))
                key = self.chance.choice(self.sent[-3:])
                self.happens(Event(name, self.now, {"text": "Yes please"}, key))
            case _:
                self.time_passes(self.chance.choice((HOUR, 5 * HOUR, 30 * HOUR, 24 * 60 * HOUR)))

    def time_passes(self, most):
        """Up to a moment, or to the next timer that is due."""
        due = [each.journey.due_at for each in self.running.values() if each.journey.due_at is not None]
        self.now = min([self.now + most, *(max(at, self.now) for at in due)])
        self.take(TimeCame())


def surroundings(links):
    senders = {sender: SenderFacts(channel) for channel, sender in SENDERS.items()}
    return Surroundings(senders=senders, opt_out_links=links)


def travel(text, links, seed, steps=40):
    around = surroundings(links)
    flow = load_sources({"flow.yaml": text}, elements(), around).flow
    assert flow is not None
    proofs = {proof.word: proof for proof in prove(flow, around, WORDS)}
    assert proofs["end"].verdict == "holds", "a flow with a circle on which no time passes does not load"
    travels = PromptTravels(flow, random.Random(seed))
    travels.take(Enter(flow.id, Event("by_hand", MONDAY)))
    for _ in range(steps):
        travels.go_on()
    return flow, Ways(flow, around), proofs, travels


def hold(ways, proofs, travels):
    """Fails where a journey did what was proved that none does."""
    journeys = {running.journey.id: running.journey for running in travels.running.values()} | travels.ended
    time, day, in_all = proofs["time"], proofs["day"], proofs["all"]
    for id, journey in journeys.items():
        took = (journey.ended_at or travels.now) - journey.entered_at
        if time.verdict == "holds":
            assert took <= time.figures["longest_ms"]
        if journey.state == DONE:
            assert time.figures["shortest_ms"] is not None
            assert took >= time.figures["shortest_ms"]
        sent = travels.went_out.get(id, [])
        for channel in (None, *SENDERS):
            suffix = "" if channel is None else f"_{channel}"
            moments = [at for name, at in sent if channel in (None, ways.element(name).sends)]
            most, most_a_day = in_all.figures.get(f"all{suffix}"), day.figures.get(f"day{suffix}")
            assert most is None or len(moments) <= most
            busiest = max((sum(at <= other < at + DAY for other in moments) for at in moments), default=0)
            assert most_a_day is None or busiest <= most_a_day
        if proofs["opt-out"].verdict == "holds":
            assert len(sent) < 3 or "yes" in [offer(ways, name, WORDS) for name, _ in sent[:2]]
        if proofs["blocked"].verdict == "holds":
            assert not sends_after_blocks(ways, travels.visits.get(id, []))


def sends_after_blocks(ways, visits):
    """Elements that were come to although the journey had blocked their channel for all senders."""
    blocked: set[tuple[str, str]] = set()
    found = []
    for visit in visits:
        element = ways.element(visit.element)
        kind = ways.flow.nodes[visit.element].type
        if kind in SENDS and element.sends in {channel for channel, _ in blocked}:
            found.append(visit.element)
        if kind.endswith("do_not_contact") and element.level == "any_sender":
            named = SENDERS if element.channel == "all" else [element.channel]
            entries = {(channel, element.covers) for channel in named}
            blocked = blocked | entries if kind.startswith("add") else blocked - entries
        if kind == "wait_for_event" and element.event == "opted_out" and visit.exit == "happened" and element.message:
            channels = {ways.element(name).sends for name in element.message}
            blocked |= {(channel, "itself") for channel in channels if len(channels) == 1}
        if kind.startswith("remove"):  # whatever made the entry, it may be off again
            blocked -= {(channel, "itself") for channel in SENDERS}
    return found


@given(flow_texts(), st.booleans(), st.integers(0, 2**32))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_random_journey_does_what_is_proved_that_none_does(text, links, seed):
    _, ways, proofs, travels = travel(text, links, seed)
    hold(ways, proofs, travels)


@pytest.mark.full
@given(flow_texts(), st.booleans(), st.integers(0, 2**32))
@settings(max_examples=5_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_journey_of_thousands_does_what_is_proved_that_none_does(text, links, seed):
    _, ways, proofs, travels = travel(text, links, seed, steps=80)
    hold(ways, proofs, travels)
