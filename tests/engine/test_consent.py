"""Consent: where a project asks for it, no record means no marketing; and it takes nobody off the list."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tactful.engine.consent import Consent, record, records_of
from tactful.engine.optout import by_hand
from tactful.engine.testing import World

SMS = "+38595000111"
PHONE = "+385911234567"
PROJECT = f"""
senders:
  "{SMS}": {{channel: sms, via: console, two_way: true}}
  "a@acme.example": {{channel: email, via: console}}
require_consent: [sms]
transactional: [code]
opt_out:
  keywords:
    - {{pack: us-fcc, level: any_sender}}
    - {{sender: "{SMS}", keyword: START, action: unblock, level: any_sender}}
"""
OFFER = f"""
flow: offer
entry: {{event: began, again: always}}
settings: {{sender: {{sms: "{SMS}", email: a@acme.example}}}}
elements:
  text: {{type: send_sms, text: "An offer. STOP ends it.", next: {{sent: mail, suppressed: mail}}}}
  mail: {{type: send_email, subject: S, text: T}}
"""
CODE = f"""
flow: code
entry: {{event: asked, again: always}}
settings: {{sender: {{sms: "{SMS}"}}, purpose: transactional}}
elements:
  text: {{type: send_sms, text: "Your code."}}
"""
NewWorld = Callable[..., World]


@pytest.fixture
def world(new_world: NewWorld, tmp_path: Path) -> World:
    project = tmp_path / "tactful.yaml"
    project.write_text(PROJECT, encoding="utf-8")
    world = new_world(project=project)
    world.publish(OFFER)
    world.publish(CODE)
    world.contact("ana", phone=PHONE, email="ana@example.com")
    return world


def agree(world: World, channel: str = "sms") -> None:
    with world.engine.store.write() as tx:
        record(tx, [Consent(PHONE, channel, world.clock.now(), "form of the fair", "Yes, text me offers")])


def elements_sent(world: World) -> list[str]:
    return [each.element for each in world.sent()]


def test_without_a_record_no_marketing_goes_out_on_that_channel(world: World) -> None:
    world.happens("began", "ana")
    assert elements_sent(world) == ["mail"], "email asks for none"
    (message,) = [each for each in world.messages_now() if each.element == "text"]
    assert (message.state, message.why) == ("suppressed", "no consent to sms is on record")


def test_with_one_it_does(world: World) -> None:
    agree(world)
    world.happens("began", "ana")
    assert elements_sent(world) == ["text", "mail"]


def test_a_consent_to_another_channel_is_none_to_this(world: World) -> None:
    agree(world, "whatsapp")
    world.happens("began", "ana")
    assert elements_sent(world) == ["mail"]


def test_what_is_transactional_needs_none(world: World) -> None:
    world.happens("asked", "ana")
    assert elements_sent(world) == ["text"]


def test_a_block_stands_above_a_consent_whichever_came_first(world: World) -> None:
    by_hand.block(world.engine, PHONE, "sms", world.clock.now())
    agree(world)
    world.happens("began", "ana")
    assert elements_sent(world) == ["mail"]


def test_start_is_a_consent_with_its_words_as_evidence(world: World) -> None:
    world.receives("Stop", SMS, "ana")
    world.receives("Start, please", SMS, "ana")
    with world.engine.store.read() as tx:
        (kept,) = records_of(tx, PHONE)
    assert (kept.channel, kept.source, kept.evidence["text"]) == ("sms", "keyword START", "Start, please")
    world.happens("began", "ana")
    assert elements_sent(world) == ["text", "mail"]


def test_a_consent_belongs_to_the_address_not_to_the_contact(world: World) -> None:
    agree(world)
    world.contact("ana", phone="+385911234999")
    world.happens("began", "ana")
    assert elements_sent(world) == ["mail"], "nobody agreed for the new number"
    world.contact("bo", phone=PHONE)
    world.happens("began", "bo")
    assert elements_sent(world) == ["mail", "text"]
