"""A whole crowd: the same numbers from the same seed, sums that fit, rules that hold, memory that stays flat."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Sequence
from typing import Any

import pytest
from tests.engine.simulation.conftest import MONDAY, elements

from tactful.elements.options.duration import Duration
from tactful.engine.contacts_file import ContactFields
from tactful.engine.optout.countries import rules_of
from tactful.engine.rules.permission import Limit, Policy
from tactful.engine.simulation.behaviour import Rates
from tactful.engine.simulation.crowd import Person
from tactful.engine.simulation.outcome import Tally, percentile
from tactful.engine.simulation.report import Report, report
from tactful.engine.simulation.run import Stage, Trial, simulate
from tactful.flows.load import load_sources

FLOW = """
flow: f
entry: {event: basket_abandoned, where: event.value >= 20, again: after 5 days}
stop_when:
  - {event: purchased, goal: true}
settings:
  sender: {email: news@acme.example, sms: "+38595000111"}
  quiet_hours: {from: "21:00", until: "08:00"}
  time_zone: Europe/Zagreb
elements:
  offer: {type: send_email, subject: s, text: t, next: opened}
  opened: {type: wait_for_event, event: opened, message: offer, within: 48 hours,
           next: {happened: ask, timed_out: unopened}}
  ask: {type: send_sms, text: t, next: answer}
  answer: {type: wait_for_reply, message: ask, within: 1 day, paths: {agree: [yes]},
           next: {agree: glad, otherwise: end, timed_out: end}}
  glad: {type: goal, name: agreed}
  unopened: {type: add_to_do_not_contact, channel: email}
"""
RATES: dict[str, Any] = {
    "entry": {"over": "3 days", "data": {"value": "10..99"}},
    "events": {"purchased": {"share": "10%", "after": "1 day"}},
    "channels": {
        "email": {"opens": {"share": "40%", "after": "6 hours"}, "price": 0.001, "opts_out": 0},
        "sms": {"replies": {"share": "50%", "after": "1 hour", "texts": {"yes": 3, "no": 1}}, "price": 0.05},
    },
}


def trial(contacts: int = 3_000, flow: str = FLOW, rates: dict[str, Any] | None = None, **more: Any) -> Trial:
    known = Rates.model_validate(RATES if rates is None else rates)
    return Trial({"flow.yaml": flow}, contacts, MONDAY, more.pop("days", 20), known, **more)


def told(made: Trial, seeds: Sequence[int] = (1,), processes: int = 1) -> Report:
    return report(made.machine(), made.rates, seeds, simulate(made, seeds, processes))


def test_the_same_seed_gives_the_same_and_another_seed_another():
    assert told(trial(), [1]) == told(trial(), [1])
    assert told(trial(), [1]) != told(trial(), [2])


def test_it_does_not_matter_how_many_processes_play():
    made = trial(5_000)
    assert told(made, [1, 2], processes=1) == told(made, [1, 2], processes=2)


def test_it_does_not_matter_how_the_crowd_is_cut():
    stage = Stage(trial(900))
    whole = stage.play(1, 1, 900)
    parts = stage.play(1, 601, 900).add(stage.play(1, 1, 600))
    assert {name: getattr(whole, name) for name in Tally.__slots__} == {
        name: getattr(parts, name) for name in Tally.__slots__
    }


def test_what_comes_in_goes_out_or_stands_there():
    found = told(trial())
    totals = {name: figure.middle for name, figure in found.totals.items()}
    assert totals["entered"] == totals["finished"] + totals["stopped"] + totals["failed"] + totals["under_way"]
    came = {each.id: each.arrived.middle for each in found.elements}
    for each in found.elements:
        out = sum(counted.number.middle for counted in each.exits.values())
        assert each.arrived.middle == out + each.standing.number.middle
        if each.id != "offer":
            leading = sum(
                other.exits[exit].number.middle
                for other in found.elements
                for exit, target in other.leads_to.items()
                if target == each.id
            )
            assert leading == came[each.id]
    assert sum(figure.middle for figure in found.days) == totals["messages"]
    assert sum(figure.middle for figure in found.hours) == totals["messages"]


def test_shares_come_out_as_they_were_put_in():
    found = told(trial(20_000))
    by_id = {each.id: each for each in found.elements}
    offer, ask = by_id["offer"], by_id["ask"]
    assert offer.happened["opened"].share.middle == pytest.approx(0.4, abs=0.02)
    assert ask.happened["replied"].share.middle == pytest.approx(0.5, abs=0.03)
    assert by_id["answer"].exits["agree"].share.middle == pytest.approx(0.5 * 0.75, abs=0.04)
    assert found.totals["entered"].middle == pytest.approx(20_000 * 80 / 90, rel=0.02)
    assert offer.sent is not None
    assert ask.sent is not None
    assert found.totals["cost"].middle == pytest.approx(0.001 * offer.sent.middle + 0.05 * ask.sent.middle)


def test_half_of_those_who_open_have_opened_within_the_median():
    rates = {**RATES, "events": {}, "channels": {"email": {"opens": {"share": 1, "after": "6 hours"}}}}
    flow = FLOW.replace("within: 48 hours", "within: 6 hours")
    found = told(trial(10_000, flow, rates))
    opened = next(each for each in found.elements if each.id == "opened")
    assert opened.exits["happened"].share.middle == pytest.approx(0.5, abs=0.02)


def test_nothing_is_sent_in_quiet_hours():
    zones = {"time_zone": {"Europe/Zagreb": 1}}
    found = told(trial(rates={**RATES, "contacts": zones}))
    quiet = [figure.high for hour, figure in enumerate(found.hours) if hour >= 21 or hour < 8]
    assert found.totals["held"].middle > 0
    assert not any(quiet)


def test_again_and_limits_hold():
    rates = {**RATES, "entry": {"over": "1 day", "again": "12 hours", "data": {"value": 50}}, "events": {}}
    once = told(trial(300, FLOW.replace("again: after 5 days", "again: never"), rates))
    assert once.totals["entered"].middle == 300
    assert once.totals["refused"].middle > 300
    always = FLOW.replace("again: after 5 days", "again: always")
    free = told(trial(300, always, rates))
    limited = told(trial(300, always, rates, policy=Policy((Limit(1, Duration.parse("30 days"), "skip"),))))
    assert free.totals["messages"].middle > 600
    assert limited.totals["messages"].middle <= 300


def test_a_change_of_a_rate_moves_nobody_elses_decision():
    """Two versions are tried on people who do the same: what differs comes from the change alone."""
    more = {**RATES, "elements": {"ask": {"clicks": "20%"}}}
    one, other = told(trial()), told(trial(rates=more))
    assert one.totals == other.totals


def test_seeds_give_low_middle_and_high():
    found = told(trial(500), [1, 2, 3, 4, 5])
    low, middle, high = found.totals["messages"]
    assert low < middle < high
    assert found.as_json()["totals"]["messages"] == {"low": low, "median": middle, "high": high}


def test_people_of_a_file_come_as_they_are_and_again_where_there_are_too_few():
    people = [Person(ContactFields("ana", "ana@example.com", None, "Europe/Zagreb", {"orders": 5}))]
    branch = "{type: branch, paths: {many: contact.orders >= 5}, next: {many: end, otherwise: end}}"
    flow = f"flow: f\nelements:\n  b: {branch}\n"
    found = told(trial(10, flow, {}, people=people))
    assert found.elements[0].exits["many"].number.middle == 10


@pytest.mark.parametrize(
    ("entry", "entered"),
    [
        ('{schedule: "0 9 * * MON", again: always}', 2 * 40),
        ('{schedule: "0 9 * * MON", audience: contact.vip, again: always}', 0),
        ("{segment: not contact.vip}", 40),
    ],
)
def test_they_come_in_by_schedule_and_by_segment(entry, entered):
    flow = f"flow: f\nentry: {entry}\nelements:\n  g: {{type: goal, name: g}}\n"
    found = told(trial(40, flow, {}, days=15))
    assert found.totals["entered"].middle == entered


def test_memory_stays_flat():
    stage = Stage(trial())
    stage.play(2, 1, 3_000)  # fills the caches, each of which is bounded

    def peak(last: int) -> int:
        gc.collect()
        tracemalloc.start()
        stage.play(1, 1, last)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(12_000) < peak(2_000) + 1_000_000  # 100 bytes a contact would be too many


SMS = """
flow: f
settings: {sender: {sms: "+38595000111"}, time_zone: Europe/Zagreb}
elements: {ask: {type: send_sms, text: t}}
"""


def test_nobody_gets_marketing_who_did_not_agree_where_the_project_asks_for_it():
    rates = {"contacts": {"consent": {"sms": "30%"}}}
    policy = Policy(require_consent=frozenset({"sms"}))
    assert told(trial(1_000, SMS, rates)).totals["messages"].middle == 1_000
    found = told(trial(1_000, SMS, rates, policy=policy))
    assert found.totals["messages"].middle == pytest.approx(300, abs=50)
    assert found.elements[0].exits["suppressed"].number.middle == 1_000 - found.totals["messages"].middle
    assert told(trial(1_000, SMS, {}, policy=policy)).totals["messages"].middle == 0
    free = trial(1_000, SMS, {}, policy=policy, transactional=frozenset({"f"}))
    assert told(free).totals["messages"].middle == 0, "its purpose is marketing all the same"


def test_people_whose_consents_are_known_need_no_draw():
    people = [
        Person(ContactFields("ana", None, "+385911234567"), frozenset({"sms"})),
        Person(ContactFields("bo", None, "+385911234568"), frozenset({"email"})),
    ]
    policy = Policy(require_consent=frozenset({"sms"}))
    found = told(trial(10, SMS, {"contacts": {"consent": {"sms": "100%"}}}, people=people, policy=policy))
    assert found.totals["messages"].middle == 5


def test_the_hours_of_a_country_hold_for_those_who_are_there():
    rates = {"contacts": {"attributes": {"country": {"US": 1, "CA": 1}}, "time_zone": {"America/New_York": 1}}}
    found = told(trial(600, SMS, rates, policy=Policy(countries=(rules_of("us"),))))
    assert found.totals["messages"].middle == 600
    assert 0 < found.totals["held"].middle < 300
    held = told(trial(600, SMS.replace(", time_zone: Europe/Zagreb", ""), {"contacts": {"attributes": {
        "country": "US"}}}, policy=Policy(countries=(rules_of("us"),))))  # fmt: skip
    assert held.totals["messages"].middle == 0, "nobody knows what time it is where they are"


def test_percentiles_are_of_the_whole():
    from collections import Counter

    assert percentile(Counter({1: 50, 10: 49, 1000: 1}), 0.5) == 1
    assert percentile(Counter({1: 50, 10: 49, 1000: 1}), 0.99) == 10
    assert percentile(Counter(), 0.5) is None


def test_all_elements_there_are_can_be_simulated():
    assert {"send_email", "split", "wait_for_change"} <= set(elements())
    flow = """
flow: f
elements:
  w: {type: wait_for_change, when: contact.tier == "gold", within: 1 day, next: {happened: end, timed_out: u}}
  u: {type: update_contact, set: {tier: gold}, next: s}
  s: {type: split, paths: {a: 1, b: 1}, next: {a: v, b: end}}
  v: {type: wait_for_change, when: contact.tier == "gold", within: 1 day, next: {happened: end, timed_out: end}}
"""
    assert load_sources({"flow.yaml": flow}, elements()).flow is not None
    found = told(trial(100, flow, {}))
    by_id = {each.id: each for each in found.elements}
    assert by_id["w"].exits["timed_out"].number.middle == 100
    assert by_id["v"].exits["happened"].number.middle == by_id["s"].exits["a"].number.middle > 20
