"""Why is an address on the list? A sentence for each way there is, from what really happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tactful.engine.erasing import erase
from tactful.engine.optout import by_hand
from tactful.engine.optout.do_not_contact import Act
from tactful.engine.optout.evidence import About, proof, stands_for
from tactful.engine.rules.permission import Block
from tactful.engine.testing import World

SMS, ANA, NUMBER = "+38595000111", "ana@example.com", "+385911234567"
MONDAY = 1_772_442_000_000
OFFER = {"1.1": About("ask", "offer", "news@acme.example", "Mon 2 Mar 2026 09:00 UTC")}

PROJECT = f"""
senders:
  "{SMS}": {{channel: sms, via: console}}
  news@acme.example: {{channel: email, via: console}}
opt_out:
  keywords: [{{sender: "{SMS}", keyword: STOP, action: block, level: any_sender}}]
"""

FLOW = f"""
flow: ask
settings: {{sender: {{email: news@acme.example, sms: "{SMS}"}}}}
elements:
  offer: {{type: send_email, subject: Hello, text: Hello, next: rest}}
  rest: {{type: pause, for: 2 days, next: never}}
  never: {{type: add_to_do_not_contact, channel: email, reason: did not open}}
"""


@pytest.fixture
def world(new_world: Callable[..., World], tmp_path: Path) -> World:
    (tmp_path / "tactful.yaml").write_text(PROJECT)
    world = new_world(project=tmp_path / "tactful.yaml")
    world.contact("ana", email=ANA, phone=NUMBER)
    world.publish(FLOW)
    world.enter("ask", "ana")
    return world


def acts(world: World, address: str) -> tuple[Act, ...]:
    return by_hand.explain(world.engine, address, "email" if "@" in address else "sms").history


def said(world: World, address: str, messages: Mapping[str, About] = OFFER) -> str:
    """The proof of the newest act."""
    return proof(acts(world, address)[-1], messages)


def test_a_keyword_with_what_they_wrote_and_how_it_reads(world: World) -> None:
    world.receives("  „STOP“ please", SMS, "ana")
    assert said(world, NUMBER) == (
        "they wrote “  „STOP“ please” to +38595000111 (message 1 that came in), which reads “stop please”: "
        "the rule for STOP"
    )


def test_an_answer_that_a_person_read_and_one_that_nobody_read(world: World) -> None:
    world.receives("please stop sending me this", SMS, "ana")
    unread = by_hand.explain(world.engine, NUMBER, "sms").reviews
    assert [(each.number, each.text) for each in unread] == [(1, "please stop sending me this")]
    world.inbox.settle(1, opts_out=True, who="kim", now=MONDAY)
    assert said(world, NUMBER).endswith("(message 1 that came in); kim read it as an opt-out")
    world.receives("please stop sending me this", SMS, "ana")
    world.inbox.settle_overdue(MONDAY + 10 * 86_400_000)
    assert said(world, NUMBER).endswith("nobody read it in time, so it counts as an opt-out")


def test_a_flow_with_its_version_and_element(world: World) -> None:
    world.advance("3 days")
    assert said(world, ANA) == "flow ask, version 1, element never: journey 1 of contact ana, step 3"


@pytest.mark.parametrize(
    ("event", "sentence"),
    [("complained", "they marked {} as spam"), ("bounced", "{} came back for good"),
     ("link", "they followed the opt-out link of {}")],
)  # fmt: skip
def test_what_became_of_a_message_with_its_flow(world: World, event: str, sentence: str) -> None:
    if event == "link":
        world.opts_out("offer")
    else:
        world.reports(event, "offer")
    named = "message 1.1 (flow ask, element offer, sent Mon 2 Mar 2026 09:00 UTC from news@acme.example)"
    assert said(world, ANA).startswith(sentence.format(named))
    assert sentence.format("message 1.1") in said(world, ANA, {}), "the message is gone, the act is not"


@pytest.mark.parametrize(
    ("source", "evidence", "sentence"),
    [
        ("a person", {}, "a person"),
        ("import l.csv: MO", {"file": "l.csv", "line": 7, "source": "MO", "added": "2022-08-18", "account": "8F"},
         "line 7 of l.csv, which says “MO” and 2022-08-18 (account 8F)"),
        ("import l.csv", {"file": "l.csv", "line": 7}, "line 7 of l.csv"),
        ("infobip 2052", {"message": "1.1", "receipt": "infobip 2052"},
         "infobip 2052: what the provider said of message 1.1, infobip 2052"),
        ("twilio STOP", {"text": "STOP", "sender": SMS}, f"twilio STOP: they wrote “STOP” to {SMS}"),
        ("something new", {"what": 1, "why": "x"}, "something new (what 1, why x)"),
    ],
)  # fmt: skip
def test_what_others_say(source: str, evidence: dict[str, object], sentence: str) -> None:
    block = Block(ANA, "all", "", "everything", source, MONDAY)
    assert proof(Act(1, "block", block, None, MONDAY, evidence), {}) == sentence


def test_an_erased_address_is_known_and_a_domain_named(world: World) -> None:
    by_hand.block(world.engine, ANA, "email", MONDAY)
    by_hand.block(world.engine, "@example.com", "email", MONDAY)
    erase(world.engine, "ana", MONDAY + 5)
    entries = by_hand.explain(world.engine, ANA, "email").entries
    assert [stands_for(each, ANA) for each in entries] == [
        "the whole domain @example.com", "this address, whose contact was erased,",
    ]  # fmt: skip
    assert [proof(act, {}) for act in acts(world, ANA)][-1] == "a person; on the list since 2026-03-02T09:00:00Z"


def test_a_whole_domain_counts_the_addresses_in_it(world: World) -> None:
    for each in (ANA, "ben@example.com", "cleo@other.example", "@example.com"):
        by_hand.block(world.engine, each, "email", MONDAY)
    assert by_hand.explain(world.engine, "example.com", "email").single == 2
