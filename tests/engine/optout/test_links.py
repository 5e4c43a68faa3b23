"""Opt-out links: what they look like, that what was sent is known, and that nobody else can make one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select, text, update
from tests.engine.optout.site import EMAIL, MONDAY, new_world

from tactful.elements.contract import MessageKey
from tactful.engine.channels import Accepted, Outcome, Outgoing, Refused
from tactful.engine.erasing import erase
from tactful.engine.keyring import Keyring
from tactful.engine.optout.links import LENGTH, LETTERS, PREVIEW, SHORT_LINK, OptOutLinks, linked_message
from tactful.engine.testing import World

BASE = "https://go.acme.example"


@pytest.fixture
def world(shop: World) -> World:
    return shop


def links(world: World, secret: bytes | None = None) -> OptOutLinks:
    keyring = world.engine.do_not_contact.keyring if secret is None else Keyring([secret])
    return OptOutLinks(world.engine.store, keyring, BASE)


def code_in(world: World) -> str:
    """The code in the newest text message."""
    found = re.search(r"https://go\.acme\.example/o/(\S+)", world.post.taken[-1].parts["text"])
    assert found is not None
    return found[1]


def found(world: World, name: str) -> MessageKey | None:
    with world.engine.store.read() as tx:
        message = links(world).find(tx, name)
    return None if message is None else message.key


def codes(world: World) -> int:
    with world.engine.store.read() as tx:
        return int(tx.scalar(select(func.count()).select_from(SHORT_LINK)) or 0)


# --- What they look like -------------------------------------------------------------------------


def test_no_letter_of_a_code_is_taken_for_another() -> None:
    assert len(set(LETTERS)) == len(LETTERS) == 57
    assert not set(LETTERS) & set("0O1Il")
    assert len(LETTERS) ** LENGTH > 2**58
    assert len(PREVIEW) == LENGTH, "a preview is as long as what will be sent"
    assert set(PREVIEW) - set(LETTERS), "and no code"


def test_a_text_message_has_a_short_code_that_is_kept(world: World) -> None:
    world.enter("text", "ana")
    code = code_in(world)
    assert re.fullmatch(f"[{LETTERS}]{{{LENGTH}}}", code)
    assert found(world, code) == world.post.taken[-1].key
    assert codes(world) == 1


def test_an_email_has_a_signed_link_and_nothing_is_kept_of_it(world: World) -> None:
    world.enter("letter", "ana")
    html = world.post.taken[-1].parts["html"]
    name = html.partition('href="https://go.acme.example/o/')[2].partition('"')[0]
    assert name.startswith("1.1.")
    assert found(world, name) == MessageKey(1, 1)
    assert world.post.taken[-1].headers["List-Unsubscribe"] == f"<{BASE}/o/{name}>", "the same in head and text"
    assert codes(world) == 0


def test_what_a_sentence_adds_to_a_link_is_passed_over(world: World) -> None:
    world.enter("text", "ana")
    code = code_in(world)
    assert found(world, code + ".") == found(world, code + ").") == found(world, code) is not None
    assert found(world, code[:-1]) is None
    assert found(world, code + code) is None


def test_an_email_knows_what_day_it_is_where_its_reader_is(world: World) -> None:
    world.publish(
        "flow: day\nsettings: {sender: {email: news@acme.example}}\n"
        'elements: {day: {type: send_email, subject: \'It is {{ "now" | date: "%H:%M" }}\', text: x}}'
    )
    world.contact("kiri", email="kiri@example.com", time_zone="Pacific/Auckland")
    world.enter("day", "kiri")
    assert world.post.taken[-1].parts["subject"] == "It is 22:00"


# --- What was sent is known ----------------------------------------------------------------------


class Looking:
    """A connector that looks, before it answers, whether the code of what it was given is in the database."""

    def __init__(self, world: World, outcomes: Sequence[Outcome]) -> None:
        self.codes: list[tuple[str, MessageKey | None]] = []
        self._world = world
        self._outcomes = list(outcomes)

    def send(self, batch: Sequence[Outgoing]) -> Iterator[tuple[MessageKey, Outcome]]:
        for each in batch:
            code = each.parts["text"].split("/o/")[1]
            self.codes.append((code, found(self._world, code)))
            yield each.key, self._outcomes.pop(0)

    def close(self) -> None:
        """Nothing to close."""


def test_a_code_is_committed_before_its_message_is_handed_over_and_the_same_at_every_try(world: World) -> None:
    looking = Looking(world, [Refused("busy", final=False), Accepted()])
    world.post.send = looking.send  # type: ignore[method-assign]
    world.enter("text", "ana")
    world.advance("2 minutes")
    (first, key), (second, again) = looking.codes
    assert first == second
    assert key == again == MessageKey(1, 1)
    assert codes(world) == 1


def test_a_code_that_another_message_has_is_not_given_twice(world: World) -> None:
    world.post.refuse_next(Refused("busy", final=False))
    world.enter("text", "ana")
    with world.engine.store.write() as tx:  # as if it had been drawn for another one before
        first = str(tx.scalar(select(SHORT_LINK.c.code)))
        tx.execute(update(SHORT_LINK).values(journey=99))
    world.advance("2 minutes")
    assert code_in(world) != first
    assert found(world, code_in(world)) == MessageKey(1, 1)
    assert codes(world) == 2


def test_where_a_code_cannot_be_kept_nothing_is_handed_over_and_it_is_tried_again(world: World) -> None:
    with world.engine.store.write() as tx:
        tx.execute(text("ALTER TABLE short_link RENAME TO away"))
    world.enter("text", "ana")
    assert world.post.taken == []
    (message,) = world.messages_now()
    assert (message.state, message.why) == ("queued", "its opt-out link could not be kept")
    with world.engine.store.write() as tx:
        tx.execute(text("ALTER TABLE away RENAME TO short_link"))
    world.advance("1 minute")
    assert found(world, code_in(world)) == MessageKey(1, 1)


def test_a_batch_is_one_write(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        world.contact(f"c{number}", phone=f"+3859112346{number:02}")
    began = world.engine.store.write
    writes = []
    world.engine.host.enter("text", [f"c{number}" for number in range(20)], MONDAY)
    batch = world.engine.outbox.take("ACME", MONDAY, 100).messages

    def write(*, shared: bool = False) -> AbstractContextManager[Connection]:
        writes.append(1)
        return began(shared=shared)

    monkeypatch.setattr(world.engine.store, "write", write)
    made = links(world).of(batch)
    assert len(set(made.values())) == 20
    assert writes == [1]


# --- Nobody else can make one --------------------------------------------------------------------


def test_codes_are_drawn_from_the_key(world: World) -> None:
    world.post.refuse_next(Refused("busy", final=False))
    world.enter("text", "ana")
    world.advance("30 seconds")
    (batch,) = [world.engine.outbox.take("ACME", world.clock.now() + 60_000, 10).messages]
    made = {secret: links(world, secret).of(batch)[batch[0].key] for secret in (b"one", b"two")}
    assert made[b"one"] != made[b"two"]


@pytest.mark.parametrize("flow", ["letter", "text"])
def test_a_link_of_one_database_means_nothing_in_another_with_the_same_secret(tmp_path: Path, flow: str) -> None:
    """Two databases number their messages alike, and one that was laid out anew begins again."""
    names = []
    worlds = []
    for number, minute in enumerate((0, 1)):
        folder = tmp_path / str(number)
        folder.mkdir()
        world = new_world(folder)
        worlds.append(world)
        world.clock.set(MONDAY + minute * 60_000)  # type: ignore[attr-defined]
        world.engine.host.enter(flow, ["ana"], world.clock.now())
        batch = world.engine.outbox.take("ACME" if flow == "text" else "news@acme.example", world.clock.now(), 1)
        (link,) = links(world, b"the same").of(batch.messages).values()
        names.append(link.rpartition("/")[2])
    for world, own, other in zip(worlds, names, reversed(names), strict=True):
        with world.engine.store.read() as tx:
            assert linked_message(tx, MessageKey(1, 1)) is not None
            assert links(world, b"the same").find(tx, own) is not None
            assert links(world, b"the same").find(tx, other) is None
        world.close()


def test_links_stay_good_when_a_project_brings_a_secret(world: World) -> None:
    world.enter("letter", "ana")
    world.enter("text", "ana")
    names = [code_in(world), world.post.taken[0].headers["List-Unsubscribe"].strip("<>").rpartition("/")[2]]
    made = world.engine.do_not_contact.keyring
    longer = OptOutLinks(world.engine.store, Keyring([b"the project's own", *made._keys]), BASE)
    with world.engine.store.read() as tx:
        assert [longer.find(tx, name) is not None for name in names] == [True, True]


@pytest.mark.parametrize(
    "name",
    [
        "", "x", ".", "..", "1.1", "1.1.", "0.0.AAAAAAAAAAAAAAAAAAAAAAAAAAA", "1.1." + "A" * 27, PREVIEW,
        "9" * 18 + ".1." + "A" * 27, "9" * 40 + ".1." + "A" * 27, "1.999999999." + "A" * 27, "1.1." + "A" * 5000,
        "abcdefghjk", "ab\0defghjk", "\u0661.1." + "A" * 27, "a/b/c", "' OR 1=1 --",
    ],
)  # fmt: skip
def test_what_names_nothing_is_nothing(world: World, name: str) -> None:
    world.enter("text", "ana")
    assert found(world, name) is None


def test_the_link_of_an_erased_contact_leads_nowhere(world: World) -> None:
    """Nobody knows any more whose address it was."""
    world.enter("text", "ana")
    code = code_in(world)
    erase(world.engine, "ana", world.clock.now())
    assert found(world, code) is None


def test_a_world_without_a_project_has_links_to_look_at() -> None:
    with World(MONDAY) as world:
        world.publish(
            "flow: f\nsettings: {sender: {sms: ACME}}\n"
            "elements: {a: {type: send_sms, text: 'No more: {{ opt_out_link }}'}}"
        )
        world.contact("ana", email=EMAIL, phone="+385911234567")
        world.enter("f", "ana")
        assert world.sent()[-1].parts["text"].startswith("No more: https://opt-out.invalid/o/")
        world.opts_out("a")
        assert world.on_do_not_contact("ana", "sms")
