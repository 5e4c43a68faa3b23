"""Messages that come in: what they do to the list, to journeys and to what waits to be sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tactful.engine.addresses import BadAddress
from tactful.engine.compose import Engine, open_engine
from tactful.engine.optout import do_not_contact
from tactful.engine.optout.inbox import Inbound, Inbox, UnknownSender
from tactful.engine.project import Project, load_project
from tactful.engine.testing import World

SMS = "+38595000111"
OTHER = "+38595000222"
ANA = "+385911234567"
MONDAY = 1_772_442_000_000
HOUR = 3_600_000

PROJECT = f"""
senders:
  "{SMS}": {{channel: sms, via: console}}
  "{OTHER}": {{channel: sms, via: console}}
opt_out:
  keywords:
    - {{sender: "{SMS}", keyword: STOP, action: block, level: this_sender, reply: "No more from this number."}}
    - {{sender: "{SMS}", keyword: START, action: unblock, level: this_sender}}
    - {{sender: "{SMS}", keyword: "YES", action: unblock, level: this_sender, conversational: true, forward: true}}
    - {{sender: "{SMS}", keyword: NEVER, action: block, level: any_sender, forward: true}}
    - {{sender: "{OTHER}", keyword: STOP, action: block, level: any_sender}}
    - {{sender: "{OTHER}", keyword: QUIT, action: block, level: any_sender, enabled: false}}
"""

FLOW = f"""
flow: ask
stop_when: [{{event: opted_out}}]
settings: {{sender: {{sms: "{SMS}"}}}}
elements:
  question: {{type: send_sms, text: Shall we?, next: answer}}
  answer:
    type: wait_for_reply
    within: 3 days
    paths: {{agree: ["yes", ok]}}
    next: {{agree: thanks, otherwise: end, timed_out: end}}
  thanks: {{type: send_sms, text: Thank you}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "tactful.yaml").write_text(PROJECT)
    found, problems = load_project(tmp_path / "tactful.yaml")
    assert found is not None, [problem.render() for problem in problems]
    return found


@pytest.fixture
def world(new_world: Callable[..., World], project: Project) -> World:
    world = new_world(project=project)
    world.contact("ana", phone=ANA)
    world.publish(FLOW)
    return world


def entries(engine: Engine) -> list[tuple[str, str, str, str]]:
    with engine.store.read() as tx:
        return [(b.channel, b.sender, b.covers, b.source) for b, _ in do_not_contact.listed(tx)]


def test_stop_to_one_number_does_not_disable_the_others(world: World) -> None:
    """Rock#5581: STOP to one number disabled all of them."""
    world.enter("ask", "ana")
    world.receives("Stop. Thank you", SMS, "ana")
    assert entries(world.engine) == [("sms", SMS, "everything", "keyword STOP")]
    assert [journey.state for journey in world.journeys()] == ["stopped"], "stop_when: opted_out"


def test_the_rules_own_reply_goes_out_once(world: World) -> None:
    world.receives("STOP", SMS, "ana")
    world.receives("START", SMS, "ana")
    assert [each.parts["text"] for each in world.answered] == ["No more from this number."]
    assert entries(world.engine) == [], "START takes off again"


def test_the_evidence_is_kept(world: World) -> None:
    world.receives("  „STOP“ please 🙏", SMS, "ana")
    with world.engine.store.read() as tx:
        (act,) = world.engine.do_not_contact.history(tx, ANA)
    assert act.evidence["text"] == "  „STOP“ please 🙏"
    assert act.evidence["normalised"].startswith("stop")
    assert act.evidence["sender"] == SMS
    assert act.block.covers == "everything"


def test_an_unblock_takes_off_its_own_level_only(world: World) -> None:
    world.receives("NEVER", SMS, "ana")
    world.receives("START", SMS, "ana")
    assert entries(world.engine) == [("all", "", "everything", "keyword NEVER")]


@pytest.mark.parametrize(("text", "left_by"), [("YES", "agree"), ("maybe tomorrow", "otherwise")])
def test_what_does_not_end_with_its_rule_goes_to_the_journey(world: World, text: str, left_by: str) -> None:
    (journey,) = world.enter("ask", "ana")
    world.receives(text, SMS, "ana")
    assert world.path(journey)[1] == ("answer", left_by)


def test_what_ends_with_its_rule_is_not_seen_by_journeys(world: World) -> None:
    """A rule that does not forward: Infobip's non-forwarding action."""
    still = FLOW.replace("flow: ask\nstop_when: [{event: opted_out}]", "flow: still")
    world.publish(still)
    (journey,) = world.enter("still", "ana")
    world.receives("START", SMS, "ana")
    assert world.path(journey) == [("question", "sent")]


def test_a_rule_that_is_not_enabled_does_nothing(world: World) -> None:
    world.receives("QUIT", OTHER, "ana")
    assert entries(world.engine) == []


def test_an_opt_out_in_a_sentence_holds_sends_and_asks_a_person(world: World) -> None:
    (journey,) = world.enter("ask", "ana")
    world.receives("well ok then but please stop after that", SMS, "ana")
    assert entries(world.engine) == []
    (review,) = world.inbox.reviews()
    assert (review.destination, review.keyword) == (ANA, "STOP")
    world.enter("ask", "ana")
    world.contact("bo", phone=ANA)  # two contacts with one number
    world.enter("ask", "bo")
    assert len(world.sent()) == 1, "held for whoever has this number"
    assert world.inbox.settle(review.number, opts_out=False, who="an operator", now=world.clock.now())
    world.settle()
    assert len(world.sent()) == 2
    assert not world.inbox.settle(review.number, opts_out=True, who="an operator", now=world.clock.now())
    assert world.path(journey)[1] == ("answer", "otherwise")


def test_an_answer_nobody_reads_in_time_is_an_opt_out(world: World) -> None:
    world.receives("please stop sending me this", SMS, "ana")
    world.advance("23 hours")
    assert entries(world.engine) == []
    world.advance("1 hour")
    assert entries(world.engine) == [("sms", SMS, "everything", "an answer, read as an opt-out")]
    assert world.inbox.reviews() == []


def test_two_contacts_with_one_address_share_its_block(world: World) -> None:
    world.contact("bo", phone=ANA)
    world.receives("STOP", SMS, "ana")
    world.enter("ask", "bo")
    assert world.sent() == []
    assert list(world.messages().values()) == ["suppressed"]


@pytest.mark.parametrize("text", ["nonstop fun", "the bus stops here", "", "👍"])
def test_what_is_no_opt_out_is_none(world: World, text: str) -> None:
    """Spoke#1016 and others: a substring is no keyword."""
    world.receives(text, SMS, "ana")
    assert entries(world.engine) == []
    assert world.inbox.reviews() == []


@pytest.fixture
def inbox(project: Project, url: str) -> Iterator[Inbox]:
    engine = open_engine(url)
    yield Inbox(engine, project.senders or {}, project.opt_out.keywords)
    engine.close()


@pytest.mark.parametrize("key", ["m-1", "".join(map(chr, range(0x4E00, 0x5500))), "m\0", "\ud800"])
def test_told_twice_it_is_received_once(inbox: Inbox, key: str) -> None:
    first = inbox.receive(Inbound(SMS, ANA, "STOP", key=key), MONDAY)
    second = inbox.receive(Inbound(SMS, ANA, "START", key=key), MONDAY)
    assert (second.known, second.number) == (True, first.number)
    assert len(entries(inbox.engine)) == 1


def test_a_look_changes_nothing(inbox: Inbox) -> None:
    assert inbox.look(Inbound(SMS, ANA, "STOP")).decision == "block"
    assert entries(inbox.engine) == []


def test_a_writer_who_is_no_contact_is_blocked_too(inbox: Inbox) -> None:
    inbox.receive(Inbound(SMS, "+385 91 765 4321", "STOP"), MONDAY)
    assert len(entries(inbox.engine)) == 1


def test_an_automatic_answer_opts_nobody_out(inbox: Inbox) -> None:
    """mautic#2761: a vacation reply was recorded as an opt-out."""
    vacation = Inbound(SMS, ANA, "STOP", headers={"Auto-Submitted": "auto-replied"})
    received = inbox.receive(vacation, MONDAY)
    assert received.decision is not None
    assert received.decision.decision == "none"
    assert entries(inbox.engine) == []


def test_unknown_senders_and_bad_addresses_are_refused(inbox: Inbox) -> None:
    with pytest.raises(UnknownSender):
        inbox.receive(Inbound("+1", ANA, "STOP"), MONDAY)
    with pytest.raises(BadAddress):
        inbox.receive(Inbound(SMS, "nobody", "STOP"), MONDAY)
