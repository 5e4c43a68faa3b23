"""What confirming an opt-out link does to the Do Not Contact list, and what its way back takes off again."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.engine.optout.site import ACME, EMAIL, MONDAY, NEWS, PHONE, new_world

from tactful.elements import catalogue
from tactful.elements.contract import MessageKey
from tactful.engine.compose import open_engine
from tactful.engine.flowbook import FlowGone
from tactful.engine.incoming import Incoming
from tactful.engine.optout import by_hand
from tactful.engine.optout.following import SOURCE, Scope, opt_in, opt_out
from tactful.engine.optout.inbox import Inbound
from tactful.engine.optout.links import LinkedMessage, linked_message
from tactful.engine.project_options import Links
from tactful.engine.testing import World
from tactful.engine.testing.history import events

MARKETING, EVERYTHING = Links(), Links(covers="everything")


@pytest.fixture
def world(shop: World) -> World:
    return shop


def sent(world: World, flow: str, contact: str = "ana") -> LinkedMessage:
    """A message of a flow that went out."""
    world.enter(flow, contact)
    return linked(world, world.post.taken[-1].key)


def linked(world: World, key: MessageKey) -> LinkedMessage:
    with world.engine.store.read() as tx:
        message = linked_message(tx, key)
    assert message is not None
    return message


def blocks(world: World) -> set[tuple[str, str, str, str]]:
    return {(each.destination, each.channel, each.sender, each.covers) for each in world.do_not_contact}


def opts_out(world: World, message: LinkedMessage, options: Links = MARKETING, scope: Scope | None = None) -> None:
    opt_out(world.engine, message, options, world.clock.now(), scope=scope)
    world.settle()


def comes_back(world: World, message: LinkedMessage) -> bool:
    again = opt_in(world.engine, message, world.clock.now())
    world.settle()
    return again


def learnt(world: World, name: str, contact: str = "ana") -> list[MessageKey | None]:
    """The messages that somebody's events of a name are about; None for one of their own."""
    with world.engine.store.read() as tx:
        return [event.message for event in events(tx, contact) if event.name == name]


# --- The no --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "scope", "expected"),
    [
        (Links(), None, {(EMAIL, "email", "", "marketing")}),
        (Links(level="this_sender"), None, {(EMAIL, "email", NEWS, "marketing")}),
        (EVERYTHING, None, {(EMAIL, "email", "", "everything")}),
        (Links(), "this_sender", {(EMAIL, "email", NEWS, "marketing")}),
        (Links(level="this_sender"), "this_channel", {(EMAIL, "email", "", "marketing")}),
        (Links(), "everything", {(to, "all", "", "marketing") for to in (EMAIL, PHONE, "ana")}),
    ],
)
def test_what_is_stopped_is_what_the_project_or_the_person_says(
    world: World, options: Links, scope: Scope | None, expected: set[tuple[str, str, str, str]]
) -> None:
    opts_out(world, sent(world, "plain"), options, scope)
    assert blocks(world) == expected


def test_a_transactional_message_stops_everything(world: World) -> None:
    """Whoever opts out of receipts has not opted out of less."""
    opts_out(world, sent(world, "receipt"))
    assert blocks(world) == {(EMAIL, "email", "", "everything")}
    assert world.enter("receipt", "ana")
    assert [message.state for message in world.messages_now()] == ["sent", "suppressed"]


def test_what_is_stopped_is_the_address_it_went_to(world: World) -> None:
    message = sent(world, "plain")
    world.contact("ana", email="new@example.com")
    opts_out(world, linked(world, message.key))
    assert blocks(world) == {(EMAIL, "email", "", "marketing")}


def test_the_message_has_opted_out_once_and_its_flow_goes_on(world: World) -> None:
    message = sent(world, "letter")
    opts_out(world, message)
    assert world.journey().path == ["letter", "no"]
    assert world.path(world.journey().id)[-1] == ("no", "happened")
    opts_out(world, message)
    assert learnt(world, "opted_out") == [message.key]


def test_others_who_have_the_address_learn_it_as_their_own(world: World) -> None:
    world.contact("anna", email=EMAIL)
    message = sent(world, "plain")
    opts_out(world, message)
    assert learnt(world, "opted_out") == [message.key]
    assert learnt(world, "opted_out", "anna") == [None]


def test_said_twice_it_is_one_entry_and_said_by_another_message_it_is_kept_as_well(world: World) -> None:
    first, second = sent(world, "plain"), sent(world, "workshop")
    for message in (first, first, second, second, first):
        opts_out(world, message)
    assert len(blocks(world)) == 1
    with world.engine.store.read() as tx:
        history = world.engine.do_not_contact.history(tx, EMAIL)
    assert [act.evidence["message"] for act in history] == [str(first.key), str(second.key)]


def test_what_waits_to_be_sent_is_suppressed_at_once(world: World) -> None:
    message = sent(world, "plain")
    world.publish(
        "flow: later\nsettings: {sender: {email: news@acme.example}, quiet_hours: {from: '08:00', until: '20:00'}}\n"
        "elements: {later: {type: send_email, subject: x, text: x}}"
    )
    world.enter("later", "ana")
    assert world.messages_now()[-1].state == "held"
    opts_out(world, message)
    assert world.messages_now()[-1].state == "suppressed"


def test_the_evidence_says_by_what_and_not_from_where(world: World) -> None:
    message = sent(world, "text")
    opt_out(
        world.engine, message, MARKETING, world.clock.now(), scope="this_sender", how="preferences",
        user_agent="Mozilla/5.0\x00\n" + "x" * 5_000,
    )  # fmt: skip
    with world.engine.store.read() as tx:
        (act,) = world.engine.do_not_contact.history(tx, PHONE)
    assert act.block.source == SOURCE
    evidence = dict(act.evidence)
    assert len(evidence.pop("user_agent")) == 200
    assert evidence == {
        "message": "1.1", "flow": "text", "version": message.version, "element": "text", "how": "preferences",
    }  # fmt: skip
    assert act.block.sender == ACME


def test_a_no_is_heard_also_where_no_flow_loads_any_more(tmp_path: Path, url: str) -> None:
    """An element was uninstalled: nothing moves and nothing is sent, and no is still taken for an answer."""
    with new_world(tmp_path, database=url) as world:
        message = sent(world, "plain")
    fewer = {name: element for name, element in catalogue().items() if name != "wait_for_event"}
    engine = open_engine(url, elements=fewer)
    with pytest.raises(FlowGone):
        engine.host.tick(MONDAY)
    opt_out(engine, message, MARKETING, MONDAY)
    assert by_hand.explain(engine, EMAIL, "email").block is not None
    assert opt_in(engine, message, MONDAY)
    assert by_hand.explain(engine, EMAIL, "email").block is None
    engine.close()


def test_the_harness_goes_the_same_way(world: World) -> None:
    sent(world, "letter")
    world.opts_out("letter")
    assert blocks(world) == {(EMAIL, "email", "", "marketing")}
    assert world.do_not_contact[0].source == SOURCE


# --- The way back --------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [MARKETING, EVERYTHING])
@pytest.mark.parametrize("scope", ["this_sender", "this_channel", "everything"])
def test_the_way_back_takes_off_what_the_link_put_on(world: World, options: Links, scope: Scope) -> None:
    message = sent(world, "plain")
    opts_out(world, message, options, scope)
    assert blocks(world)
    assert comes_back(world, message)
    assert blocks(world) == set()
    assert learnt(world, "opted_in") == [None]
    assert comes_back(world, message), "and asking again does no harm"
    assert learnt(world, "opted_in") == [None]


def test_whoever_came_back_can_opt_out_again(world: World) -> None:
    message = sent(world, "letter")
    opts_out(world, message)
    comes_back(world, message)
    opts_out(world, message)
    assert blocks(world) == {(EMAIL, "email", "", "marketing")}
    assert learnt(world, "opted_out") == [message.key, message.key]


def test_any_link_to_the_address_is_a_way_back(world: World) -> None:
    first, second = sent(world, "plain"), sent(world, "workshop")
    opts_out(world, first)
    assert comes_back(world, second)
    assert blocks(world) == set()


def test_another_senders_link_leaves_alone_what_was_said_to_one(world: World) -> None:
    news, workshop = sent(world, "plain"), sent(world, "workshop")
    opts_out(world, news, scope="this_sender")
    assert comes_back(world, workshop), "the workshop was never stopped"
    assert blocks(world) == {(EMAIL, "email", NEWS, "marketing")}


def test_another_address_of_the_contact_stays_as_its_own_links_left_it(world: World) -> None:
    text, letter = sent(world, "text"), sent(world, "plain")
    opts_out(world, text, scope="everything")
    assert comes_back(world, letter)
    assert blocks(world) == {(PHONE, "all", "", "marketing"), ("ana", "all", "", "marketing")}
    assert comes_back(world, text)
    assert blocks(world) == set()


def test_a_complaint_stands(world: World) -> None:
    """It has the very entry a link that covers everything would have made."""
    message = sent(world, "plain")
    world.tell(Incoming("complained", message=message.key))
    opts_out(world, message, EVERYTHING)
    assert not comes_back(world, message)
    assert blocks(world) == {(EMAIL, "email", "", "everything")}


def test_a_complaint_after_the_opt_out_stands(world: World) -> None:
    message = sent(world, "plain")
    opts_out(world, message, EVERYTHING)
    world.tell(Incoming("complained", message=message.key))
    assert not comes_back(world, message)
    assert blocks(world) == {(EMAIL, "email", "", "everything")}


def test_what_a_person_of_ours_or_a_flow_put_on_stands(world: World) -> None:
    message = sent(world, "plain")
    by_hand.block(world.engine, EMAIL, "email", world.clock.now(), covers="marketing", reason="asked by letter")
    opts_out(world, message)
    assert not comes_back(world, message)
    assert blocks(world) == {(EMAIL, "email", "", "marketing")}


def test_a_keyword_stands(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    new_world(folder).close()
    file = folder / "tactful.yaml"
    file.write_text(
        file.read_text().replace("ACME: {", '"+38595000111": {channel: sms, via: console}\n  ACME: {').replace(
            "  links:", "  keywords: [{keyword: STOP, action: block, level: any_sender}]\n  links:")
    )  # fmt: skip
    with World(MONDAY, project=file) as world:
        world.publish(
            "flow: text\nsettings: {sender: {sms: ACME}}\n"
            "elements: {text: {type: send_sms, text: 'No more: {{ opt_out_link }}'}}"
        )
        world.contact("ana", phone=PHONE)
        message = sent(world, "text")
        opts_out(world, message)
        world.inbox.receive(Inbound("+38595000111", PHONE, "STOP"), world.clock.now())
        assert not comes_back(world, message)
        assert blocks(world) == {(PHONE, "all", "", "everything")}
