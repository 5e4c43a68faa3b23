"""What users of other systems complain of most about opt-outs, one test a complaint.

Scanners that follow links are in `test_pages.py`, imports that bring people back in `test_exchange.py`, and what a
provider's own list says in `test_provider_receipts.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tactful.engine.optout import by_hand
from tactful.engine.optout.inbox import Inbound
from tactful.engine.testing import World

SENDER, SMS, OTHER = "a@acme.example", "+38595000111", "+38595000222"
PHONE = "+385911234567"
PROJECT = f"""
senders:
  "{SENDER}": {{channel: email, via: console}}
  "{SMS}": {{channel: sms, via: console, two_way: true}}
  "{OTHER}": {{channel: sms, via: console, two_way: true}}
transactional: [receipt]
limits:
  - {{messages: 2, per: 7 days, when_limited: hold}}
opt_out:
  keywords:
    - {{keyword: STOP, action: block, level: this_sender}}
    - {{keyword: START, action: unblock, level: this_sender}}
"""
LETTER = f"""
flow: letter
entry: {{event: began, again: always}}
settings: {{sender: {{email: {SENDER}, sms: "{SMS}"}}}}
elements:
  mail: {{type: send_email, subject: S, text: T, next: rest}}
  rest: {{type: pause, for: 3 days, next: again}}
  again: {{type: send_email, subject: S, text: T}}
"""
RECEIPT = f"""
flow: receipt
entry: {{event: paid, again: always}}
settings: {{sender: {{email: {SENDER}}}, purpose: transactional}}
elements:
  paper: {{type: send_email, subject: S, text: T}}
"""
REGULARS = f"""
flow: regulars
entry: {{segment: contact.orders >= 3}}
settings: {{sender: {{email: {SENDER}}}}}
elements:
  rest: {{type: pause, for: 3 days, next: mail}}
  mail: {{type: send_email, subject: S, text: T}}
"""
NewWorld = Callable[..., World]


@pytest.fixture
def world(new_world: NewWorld, tmp_path: Path) -> World:
    (tmp_path / "tactful.yaml").write_text(PROJECT, encoding="utf-8")
    world = new_world(project=tmp_path / "tactful.yaml")
    for flow in (LETTER, RECEIPT, REGULARS):
        world.publish(flow)
    world.contact("ana", email="ana@example.com", phone=PHONE)
    return world


def states(world: World, element: str) -> list[str]:
    return [each.state for each in world.messages_now() if each.element == element]


def test_a_segment_looked_at_anew_drops_nobody_and_no_timer(world: World) -> None:
    world.contact("ana", orders=3)
    due_at = world.journeys("ana")[-1].due_at
    for orders in (4, 2, 5, 3):  # they leave the segment, and come back to it
        world.contact("ana", orders=orders)
        world.publish(REGULARS + f"  # edited at {orders} orders\n")
    (journey,) = world.journeys("ana")
    assert (journey.element, journey.due_at) == ("rest", due_at)
    world.advance("3 days")
    assert states(world, "mail") == ["sent"]


def test_an_opt_out_in_the_middle_of_a_flow_stops_what_comes_after(world: World) -> None:
    world.happens("began", "ana")
    by_hand.block(world.engine, "ana@example.com", "email", world.clock.now())
    world.advance("3 days")
    assert (states(world, "mail"), states(world, "again")) == (["sent"], ["suppressed"])
    assert world.journey().state == "done", "it left by its exit instead of being parked"


def test_who_opted_out_is_not_tried_again_for_ever(world: World) -> None:
    by_hand.block(world.engine, "ana@example.com", "email", world.clock.now())
    world.happens("began", "ana")
    world.advance("365 days")
    assert states(world, "mail") == ["suppressed"]
    assert [each.due_at for each in world.messages_now()] == [None], "nothing will look at it again"
    assert world.post.taken == []


def test_an_opt_out_of_marketing_lets_a_receipt_pass_and_one_of_everything_does_not(world: World) -> None:
    by_hand.block(world.engine, "ana@example.com", "email", world.clock.now(), covers="marketing")
    world.happens("began", "ana")
    world.happens("paid", "ana")
    assert (states(world, "mail"), states(world, "paper")) == (["suppressed"], ["sent"])
    by_hand.block(world.engine, "ana@example.com", "email", world.clock.now(), covers="everything")
    world.happens("paid", "ana")
    assert states(world, "paper") == ["sent", "suppressed"]


def test_stop_to_one_number_leaves_the_others_on(world: World) -> None:
    world.receives("STOP", SMS, "ana")
    assert [(b.channel, b.sender) for b in world.do_not_contact] == [("sms", SMS)]
    assert by_hand.explain(world.engine, PHONE, "sms", sender=SMS).block is not None
    assert by_hand.explain(world.engine, PHONE, "sms", sender=OTHER).block is None


FULL_WIDTH = "\uff33\uff34\uff2f\uff30"  # STOP, as a telephone set to Japanese writes it


@pytest.mark.parametrize("text", ["Stop. Thank you", "stop please", "STOP!!!", "„Stop“ 🙏", FULL_WIDTH, "s\u200btop"])
def test_stop_as_people_write_it_is_understood(world: World, text: str) -> None:
    world.receives(text, SMS, "ana")
    assert len(world.do_not_contact) == 1


@pytest.mark.parametrize("text", ["nonstop", "Which bus stop is nearest?", "a stopwatch", "I can't start my car"])
def test_words_that_only_contain_a_keyword_opt_nobody_out_and_in(world: World, text: str) -> None:
    world.receives(text, SMS, "ana")
    assert world.do_not_contact == []


def test_a_keyword_in_a_sentence_is_read_by_a_person_and_holds_what_is_sent(world: World) -> None:
    world.receives("would you please stop writing to me", SMS, "ana")
    assert len(world.inbox.reviews()) == 1
    assert world.do_not_contact == []


def test_a_vacation_note_opts_nobody_out(world: World) -> None:
    note = Inbound(SENDER, "ana@example.com", "I am away. Please stop by in May.", {"Auto-Submitted": "auto-replied"})
    decision = world.inbox.receive(note, world.clock.now()).decision
    assert decision is not None
    assert decision.decision == "none"
    assert world.do_not_contact == []


def test_a_limit_holds_to_the_day_and_not_for_weeks(world: World) -> None:
    began = world.clock.now()
    for _ in range(3):
        world.happens("began", "ana")
    assert states(world, "mail") == ["sent", "sent", "held"]
    held = next(each for each in world.messages_now() if each.state == "held")
    assert held.due_at == began + 7 * 24 * 3_600_000, "the first one is seven days old then"
    by_hand.block(world.engine, "ana@example.com", "email", world.clock.now())
    world.settle()
    assert states(world, "mail") == ["sent", "sent", "suppressed"], "and what a limit holds sees the block at once"
