"""Learning from a project's history, and living it once more: from a database that the real engine wrote."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from tests.engine.simulation.conftest import DAY, HOUR, MONDAY, elements

from tactful.engine.consent import Consent, record
from tactful.engine.contacts import put_contacts
from tactful.engine.contacts_file import ContactFields
from tactful.engine.incoming import Incoming
from tactful.engine.optout.do_not_contact import Change, Entry
from tactful.engine.project import Project, load_project
from tactful.engine.simulation.backtest import Backtest, backtest, first_recorded, those_concerned
from tactful.engine.simulation.learning import learn
from tactful.engine.testing import World
from tactful.flows.load import load_sources
from tactful.flows.model import Flow

FLOW = """
flow: win-back
entry: {event: basket_abandoned, again: after 30 days}
settings: {sender: {email: news@acme.example}}
elements:
  offer: {type: send_email, subject: s, text: t, next: opened}
  opened: {type: wait_for_event, event: opened, message: offer, within: 48 hours,
           next: {happened: thanks, timed_out: unopened}}
  thanks: {type: send_email, subject: s, text: t, next: bought}
  bought: {type: wait_for_event, event: purchased, within: 5 days, next: {happened: end, timed_out: end}}
  unopened: {type: add_to_do_not_contact, channel: email}
"""


def flow(text: str = FLOW) -> Flow:
    found = load_sources({"flow.yaml": text}, elements()).flow
    assert found is not None
    return found


@pytest.fixture
def project(tmp_path) -> Project:
    (tmp_path / "tactful.yaml").write_text("senders:\n  news@acme.example: {channel: email, via: console}\n")
    found, _ = load_project(tmp_path / "tactful.yaml")
    assert found is not None
    return found


@pytest.fixture
def lived(new_world: Callable[..., World]) -> World:
    """Forty contacts: thirty open after 10 hours, of whom six buy a day later; ten after 60 hours, too late."""
    world = new_world(elements=elements())
    world.publish(flow())
    people = [ContactFields(f"c{n}", f"c{n}@example.com", attributes={"orders": n % 3}) for n in range(40)]
    put_contacts(world.engine.host, people, MONDAY)
    tell(world, [Incoming("basket_abandoned", f"c{n}", data={"value": 10 + n}) for n in range(40)])
    world.advance(10 * HOUR)
    offers = {message.contact: message.key for message in world.messages_now()}
    tell(world, [Incoming("opened", message=offers[f"c{n}"]) for n in range(30)])
    world.advance(DAY)
    tell(world, [Incoming("purchased", f"c{n}", data={"value": 99}) for n in range(6)])
    world.advance(60 * HOUR - 10 * HOUR - DAY)
    tell(world, [Incoming("opened", message=offers[f"c{n}"]) for n in range(30, 40)])
    world.advance(10 * DAY)
    return world


def tell(world: World, events: Sequence[Incoming]) -> None:
    """At once, which is quicker than one by one."""
    world.engine.host.tell(events, world.clock.now())


def again(world: World, project: Project, text: str = FLOW) -> Backtest:
    with world.engine.store.read() as tx:
        since = first_recorded(tx, flow())
        assert since == MONDAY
        contacts = those_concerned(tx, flow(text), since)
        return backtest(tx, flow(text), project, since, world.clock.now(), contacts)


def test_the_version_that_was_there_would_have_sent_the_same(lived, project):
    found = again(lived, project)
    assert found.contacts == 40
    assert found.sent == found.would_send == {"offer": 40, "thanks": 30}
    assert found.blocked == found.would_block == {"unopened": 10}
    assert found.differences == []
    assert found.unknown == 0


def test_more_patience_would_have_thanked_those_who_were_too_late(lived, project):
    found = again(lived, project, FLOW.replace("within: 48 hours", "within: 72 hours"))
    assert found.more == {"thanks": 10}
    assert found.less == {}
    assert [(each.contact, each.more) for each in found.differences] == [
        (f"c{number}", {"thanks": 1}) for number in range(30, 40)
    ]
    assert found.would_block == {}
    assert found.unknown == 10  # these thanks never were


def test_less_patience_would_have_sent_less(lived, project):
    found = again(lived, project, FLOW.replace("within: 48 hours", "within: 9 hours"))
    assert found.less == {"thanks": 30}
    assert found.would_block == {"unopened": 40}


def test_an_opt_out_that_happened_still_stops_what_comes_after(lived, project):
    text = FLOW.replace("within: 48 hours", "within: 72 hours")
    with lived.engine.store.write() as tx:
        change = Change(True, Entry("c30@example.com", "email", "", "everything"), "by hand")
        lived.engine.do_not_contact.change(tx, [change], MONDAY + 50 * HOUR)
    found = again(lived, project, text)
    assert found.more == {"thanks": 9}
    assert "c30" not in {each.contact for each in found.differences}


def test_those_who_came_before_are_not_let_in_again_too_soon(lived, project):
    with lived.engine.store.read() as tx:
        since = MONDAY + DAY
        contacts = those_concerned(tx, flow(), since)
        assert contacts == []
    lived.happens("basket_abandoned", "c0")
    with lived.engine.store.read() as tx:
        contacts = those_concerned(tx, flow(), since)
        assert len(contacts) == 1
        found = backtest(tx, flow(), project, since, lived.clock.now(), contacts)
        assert found.would_send == {}
        sooner = flow(FLOW.replace("after 30 days", "after 2 days"))
        found = backtest(tx, sooner, project, since, lived.clock.now(), contacts)
        assert found.more == {"offer": 1}


def test_without_a_consent_in_time_nothing_would_have_been_sent(lived, project):
    with lived.engine.store.write() as tx:
        record(tx, [
            Consent("c0@example.com", "email", MONDAY - DAY, "a form"),
            Consent("c1@example.com", "email", MONDAY + 5 * HOUR, "a form"),
            Consent("c2@example.com", "sms", MONDAY - DAY, "a form"),
        ])  # fmt: skip
    asks = project.model_copy(update={"require_consent": frozenset({"email"})})
    found = again(lived, asks)
    assert found.would_send == {"offer": 1, "thanks": 1}, "whoever agreed later had got no offer to open"


def test_consents_are_learnt_with_those_who_gave_them(lived):
    with lived.engine.store.write() as tx:
        record(tx, [Consent("c7@example.com", "email", MONDAY, "a form")])
    with lived.engine.store.read() as tx:
        people = learn(tx, [flow()]).people
    assert [each.agreed for each in people] == [frozenset({"email"} if n == 7 else ()) for n in range(40)]


def test_rates_are_learnt_from_what_happened(lived):
    with lived.engine.store.read() as tx:
        learnt = learn(tx, [flow()])
    assert learnt.messages == 70
    offer = learnt.rates.of("offer", "email")
    assert offer.opens is not None
    assert offer.opens.share == 1.0
    assert str(offer.opens.after) == f"{10 * 3600} seconds"
    bought = learnt.rates.events["purchased"]
    assert bought.share == pytest.approx(6 / 40)
    assert bought.data["value"](0) == 99
    values = {learnt.rates.entry.data["value"](draw << 26) for draw in range(64)}
    assert min(values) == 10
    assert max(values) == 49
    assert len(learnt.people) == 40
    assert not any("c1" in str(each.fields.email) and "contact" not in str(each.fields.email) for each in learnt.people)
    assert {each.fields.attributes["orders"] for each in learnt.people} == {0, 1, 2}
