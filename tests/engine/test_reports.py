"""What people ask of a running project."""

from __future__ import annotations

import pytest

from tactful.elements.contract import Event, MessageKey
from tactful.engine import reports
from tactful.engine.rules.permission import Block
from tactful.engine.testing import World


@pytest.mark.parametrize("key", [MessageKey(1, 2**31), MessageKey(2**62, 1), MessageKey(2**63, 1)])
def test_there_is_no_message_of_a_number_that_no_database_has(world: World, key: MessageKey) -> None:
    with world.engine.store.read() as tx:
        assert reports.message(tx, key) is None


@pytest.mark.parametrize("mistyped", ["anastasja", "Anastasia", "ANASTASIA@example.com", "an_stasia"])
def test_a_mistyped_contact_is_guessed_however_it_is_written(world: World, mistyped: str) -> None:
    for key in ("anastasia", "bo"):
        world.contact(key, email=f"{key}@example.com")
    with world.engine.store.read() as tx:
        assert reports.likely_contacts(tx, mistyped) == ["anastasia"]


def test_what_waits_for_an_address_and_who_is_inside(world: World) -> None:
    world.publish("""
flow: f
settings: {sender: {email: news@acme.example}}
elements: {mail: {type: send_email, subject: S, text: T}}
""")
    for key in ("ana", "bo"):
        world.contact(key, email=f"{key.title()}@example.com")
    now = world.clock.now()
    world.engine.host.enter("f", ["ana", "bo"], now)
    with world.engine.store.read() as tx:
        for sender, waiting in (("", ["ana"]), ("news@acme.example", ["ana"]), ("other@acme.example", [])):
            block = Block("ana@example.com", "email", sender, "marketing", "a person", now)
            assert [each.contact for each in reports.waiting_for(tx, "ana@example.com", block)] == waiting
        assert reports.inside(tx, "f") == 2
        assert reports.entered_by(tx, "f", Event("by_hand", now)) == 2
        assert reports.entered_by(tx, "f", Event("by_hand", now - 1)) == 0
