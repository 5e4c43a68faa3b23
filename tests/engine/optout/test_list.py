"""The list itself: whole domains, chained histories, and what lands on it by receipts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tactful.elements.contract import NOTHING, Covers
from tactful.engine.addresses import BadAddress
from tactful.engine.incoming import Incoming
from tactful.engine.optout import by_hand
from tactful.engine.optout.do_not_contact import Change, Entry, left_behind
from tactful.engine.testing import World

ANA = "ana@example.com"
SENDER = "a@acme.example"
FLOW = f"""
flow: letter
entry: {{event: began, again: always}}
stop_when: [{{event: opted_out}}]
settings: {{sender: {{email: {SENDER}}}}}
elements:
  mail: {{type: send_email, subject: S, text: T, next: rest}}
  rest: {{type: pause, for: 3 days, next: again}}
  again: {{type: send_email, subject: S, text: T}}
"""
NewWorld = Callable[..., World]


@pytest.fixture
def world(world: World) -> World:
    world.publish(FLOW)
    world.contact("ana", email=ANA)
    return world


# --- one sender


@pytest.mark.parametrize(
    ("also", "left"),
    [
        ({"sender": ""}, 0),
        ({"sender": "new@acme.example"}, 0),
        ({"sender": "", "channel": "all"}, 0),
        ({"sender": "", "covers": "everything"}, 0),
        ({"sender": "older@acme.example"}, 1),
        ({"sender": "", "channel": "sms"}, 1),
        ({"sender": "", "destination": "bo@example.com"}, 1),
    ],
)
def test_a_no_to_one_sender_is_left_behind_where_nothing_holds_for_those_there_are(
    world: World, also: dict[str, str], left: int
) -> None:
    said = {"destination": ANA, "channel": "email", "sender": "old@acme.example", "covers": "marketing"}
    changes = [Change(True, Entry(**each), "a person") for each in (said, said | also)]  # type: ignore[arg-type]
    with world.engine.store.write() as tx:
        world.engine.do_not_contact.change(tx, changes, 1)
        found = left_behind(tx, [SENDER, "new@acme.example"])
    assert found.get("old@acme.example", 0) == left
    with world.engine.store.read() as tx:
        assert left_behind(tx, [SENDER, "new@acme.example", "old@acme.example", "older@acme.example"]) == {}


def test_what_covers_less_leaves_it_behind(world: World) -> None:
    old = Entry(ANA, "email", "old@acme.example", "everything")
    less = Entry(ANA, "email", "", "marketing")
    with world.engine.store.write() as tx:
        world.engine.do_not_contact.change(tx, [Change(True, each, "a person") for each in (old, less)], 1)
        assert left_behind(tx, [SENDER]) == {"old@acme.example": 1}


# --- whole domains


@pytest.mark.parametrize("written", ["@example.com", "example.com", "EXAMPLE.com", " @example.com "])
def test_a_whole_domain_can_be_listed(world: World, written: str) -> None:
    by_hand.block(world.engine, written, "all", world.clock.now())
    world.happens("began", "ana")
    assert list(world.messages().values()) == ["suppressed"]
    assert [block.destination for block in world.do_not_contact] == ["@example.com"]


def test_a_domain_is_not_the_domains_below_it_nor_those_that_end_alike(world: World) -> None:
    by_hand.block(world.engine, "@example.com", "email", world.clock.now())
    for address in ("bo@mail.example.com", "bo@notexample.com"):
        world.contact(address)
        assert by_hand.explain(world.engine, address, "email").block is None
    assert by_hand.explain(world.engine, "anybody@example.com", "email").block is not None


def test_a_block_of_a_domain_moves_the_journeys_of_all_who_are_there(world: World) -> None:
    world.happens("began", "ana")
    by_hand.block(world.engine, "@example.com", "email", world.clock.now())
    world.settle()
    assert world.journey().state == "stopped", "they learnt `opted_out`"


def test_an_inbound_message_can_never_list_a_domain(world: World) -> None:
    with pytest.raises(BadAddress):
        by_hand.destination_for("@example.com", "sms")


# --- receipts that mean no


def test_a_complaint_lists_the_address_for_everything_and_stops_who_asked_to(world: World) -> None:
    world.happens("began", "ana")
    world.reports("complained", "mail")
    assert [(b.destination, b.channel, b.covers, b.source) for b in world.do_not_contact] == [
        (ANA, "email", "everything", "complaint")
    ]
    assert world.journey().state == "stopped"


@pytest.mark.parametrize(
    ("data", "listed"),
    [({}, True), ({"type": "hard"}, True), ({"type": "Soft"}, False), ({"type": "transient"}, False)],
)
def test_a_hard_bounce_lists_the_address_a_soft_one_does_not(world: World, data: dict[str, str], listed: bool) -> None:
    world.happens("began", "ana")
    world.tell(Incoming("bounced", message=world.message("mail").key, data=data))
    assert [block.source for block in world.do_not_contact] == (["hard bounce"] if listed else [])
    assert world.journey().state == "active", "nobody said no"


def test_a_receipt_lists_the_address_the_message_went_to_not_the_one_of_today(world: World) -> None:
    world.happens("began", "ana")
    world.contact("ana", email="ana@new.example")
    world.reports("complained", "mail")
    assert [block.destination for block in world.do_not_contact] == [ANA]


# --- the history


def test_each_act_is_chained_to_the_one_before_it(world: World) -> None:
    now = world.clock.now()
    by_hand.block(world.engine, ANA, "email", now)
    by_hand.block(world.engine, "bo@example.com", "email", now)
    by_hand.unblock(world.engine, ANA, "email", now, reason="asked")
    with world.engine.store.read() as tx:
        rows = tx.exec_driver_sql("select destination, hash from block_act order by id").all()
    assert len({row.hash for row in rows}) == 3
    assert all(len(row.hash) == 64 for row in rows)


entries = st.builds(
    Entry,
    st.sampled_from([ANA, "bo@example.com", "@example.com"]),
    st.sampled_from(["email", "all"]),
    st.sampled_from(["", SENDER]),
    st.sampled_from(["marketing", "everything"]),
)
changes = st.lists(
    st.builds(Change, st.booleans(), entries, st.just("a test"), st.none(), st.just(NOTHING)), max_size=12
)


@given(st.lists(changes, max_size=4))
def test_many_changes_at_once_come_to_what_they_do_one_by_one(batches: list[list[Change]]) -> None:
    with World(0) as together, World(0) as apart:
        standing: set[Entry] = set()
        for batch in batches:
            with together.engine.store.write() as tx:
                made = together.engine.do_not_contact.change(tx, batch, 0)
            expected = []
            for change in batch:
                if change.adds != (change.entry in standing):
                    expected.append(change)
                (standing.add if change.adds else standing.discard)(change.entry)
                with apart.engine.store.write() as tx:
                    apart.engine.do_not_contact.change(tx, [change], 0)
            assert made == expected
        assert listed(together) == listed(apart) == standing
        assert hashes(together) == hashes(apart)


def listed(world: World) -> set[tuple[str, str, str, Covers]]:
    return {(b.destination, b.channel, b.sender, b.covers) for b in world.do_not_contact}


def hashes(world: World) -> list[str]:
    with world.engine.store.read() as tx:
        return [row.hash for row in tx.exec_driver_sql("select hash from block_act order by id")]
