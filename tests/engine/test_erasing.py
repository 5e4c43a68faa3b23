"""Erasing a contact: nothing in the database says who they were, and nobody may write to them all the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tactful.engine.consent import Consent, record
from tactful.engine.erasing import UnknownContact, erase
from tactful.engine.optout import by_hand
from tactful.engine.testing import World

ANA = "ana.kovac@example.com"
PHONE = "+385911234567"
FLOW = """
flow: letter
entry: {event: began, again: always}
settings: {sender: {email: a@acme.example}}
elements:
  mail: {type: send_email, subject: S, text: T, next: {sent: rest, suppressed: rest}}
  rest: {type: pause, for: 3 days, next: again}
  again: {type: send_email, subject: S, text: T}
"""
NewWorld = Callable[..., World]


@pytest.fixture
def lived(new_world: NewWorld) -> World:
    """A world in which Ana had a letter, and said no to more of them."""
    world = new_world()
    world.publish(FLOW)
    world.contact("ana", email=ANA, phone=PHONE, first_name="Anamarija", tags=["regular"])
    world.happens("began", "ana", street="Ilica 1", key="ana.kovac-1")
    with world.engine.store.write() as tx:
        record(tx, [Consent(PHONE, "sms", 0, "form", "Yes, text me")])
    return world


def test_nothing_in_the_database_says_who_they_were(tmp_path: Path, new_world: NewWorld) -> None:
    file = tmp_path / "shop.db"
    world = new_world(database=f"sqlite:///{file}")
    world.publish(FLOW)
    world.contact("ana-key-41", email=ANA, phone=PHONE, first_name="Anamarija")
    world.happens("began", "ana-key-41", street="Ilica 1", key="shop-778")
    by_hand.block(world.engine, ANA, "email", world.clock.now(), reason="Ana Kovac rang us")
    erase(world.engine, "ana-key-41", world.clock.now())
    world.engine.close()
    with closing(sqlite3.connect(file)) as database:
        database.execute("pragma wal_checkpoint(truncate)")
    kept = file.read_bytes()
    for trace in (ANA, "kovac", PHONE, "Anamarija", "Ilica", "ana-key-41", "shop-778", "Kovac"):
        assert trace.encode() not in kept, trace


def test_who_said_no_stays_blocked_however_they_come_back(lived: World) -> None:
    by_hand.block(lived.engine, ANA, "email", lived.clock.now(), covers="marketing")
    done = erase(lived.engine, "ana", lived.clock.now())
    assert done.entries == 1
    assert [block.destination.startswith("#") for block in lived.do_not_contact] == [True]
    lived.contact("ana-again", email="Ana.Kovac@EXAMPLE.com")
    lived.happens("began", "ana-again")
    assert [state for key, state in lived.messages().items() if key.journey == 2] == ["suppressed"]
    explained = by_hand.explain(lived.engine, ANA, "email")
    assert explained.block is not None
    assert explained.history, "why is still known, if not of whom"


def test_a_no_that_was_erased_can_be_taken_back_by_its_address(lived: World) -> None:
    by_hand.block(lived.engine, ANA, "email", lived.clock.now())
    erase(lived.engine, "ana", lived.clock.now())
    assert by_hand.unblock(lived.engine, ANA, "email", lived.clock.now(), reason="signed up again") == 1
    assert by_hand.explain(lived.engine, ANA, "email").block is None


def test_their_journeys_end_and_nothing_more_goes_out(lived: World) -> None:
    done = erase(lived.engine, "ana", lived.clock.now())
    assert done.journeys == 1
    lived.advance(days=10)
    assert len(lived.sent()) == 1
    assert lived.journey().state == "removed"


def test_an_address_another_contact_has_keeps_its_entries_as_they_are(lived: World) -> None:
    lived.contact("bo", email=ANA)
    by_hand.block(lived.engine, ANA, "email", lived.clock.now())
    done = erase(lived.engine, "ana", lived.clock.now())
    assert done.shared == (ANA,)
    assert [block.destination for block in lived.do_not_contact] == [ANA]
    assert lived.on_do_not_contact("bo", "email")


def test_who_does_not_exist_cannot_be_erased(lived: World) -> None:
    with pytest.raises(UnknownContact, match="there is no contact 'nobody'"):
        erase(lived.engine, "nobody", lived.clock.now())
    erase(lived.engine, "ana", lived.clock.now())
    with pytest.raises(UnknownContact):
        erase(lived.engine, "ana", lived.clock.now())
