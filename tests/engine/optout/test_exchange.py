"""The list goes into files and comes back from them, and nothing that comes in makes it less."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tactful.elements.contract import NOTHING, Covers
from tactful.engine.compose import Engine
from tactful.engine.erasing import erase
from tactful.engine.optout import by_hand, do_not_contact
from tactful.engine.optout.do_not_contact import Change, Entry
from tactful.engine.optout.exporting import Format, Writing
from tactful.engine.optout.importing import Brought, Trial, bring
from tactful.engine.optout.list_file import Row, read_list
from tactful.engine.optout.verifying import verify_list
from tactful.engine.rules.permission import Block
from tactful.engine.testing import World

MONDAY = 1_772_442_000_000
ANA, NUMBER = "ana@example.com", "+385911234567"

FLOW = """
flow: ask
stop_when: [{event: opted_out}]
settings: {sender: {email: news@acme.example}}
elements:
  rest: {type: pause, for: 2 days}
"""


def brought(engine: Engine, text: str, file: str = "list.csv") -> Brought:
    return bring(engine, rows(text), file, MONDAY)


def rows(text: str, form: Format = "csv") -> list[Row]:
    found = list(read_list(io.BytesIO(text.encode()), "jsonl" if form == "jsonl" else "csv"))
    assert all(isinstance(row, Row) for row in found), found
    return [row for row in found if isinstance(row, Row)]


def listed(engine: Engine) -> list[tuple[Block, str | None]]:
    with engine.store.read() as tx:
        return list(do_not_contact.whole_list(tx))


def entries(engine: Engine) -> set[Entry]:
    return {Entry(block.destination, block.channel, block.sender, block.covers) for block, _ in listed(engine)}


def exported(engine: Engine, form: Format = "csv") -> str:
    return "".join(Writing(form).lines(listed(engine)))


# --- Import --------------------------------------------------------------------------------------


def test_the_evidence_says_which_file_line_source_and_date(world: World) -> None:
    brought(world.engine, f"email,source,created_at,reason\n{ANA},MO,2022-08-18,too many\n")
    with world.engine.store.read() as tx:
        (act,) = world.engine.do_not_contact.history(tx, ANA)
    assert (act.block.source, act.reason) == ("import list.csv: MO", "too many")
    assert act.evidence == {"file": "list.csv", "line": 2, "source": "MO", "added": "2022-08-18"}


def test_waiting_messages_are_suppressed_and_contacts_learn_it(world: World) -> None:
    world.contact("ana", email=ANA)
    world.contact("ben", email="ben@acme.example")
    world.contact("cleo", email="cleo@other.example")
    world.publish(FLOW)
    for who in ("ana", "ben", "cleo"):
        world.enter("ask", who)
    brought(world.engine, f"destination\n{ANA}\n@acme.example\n")
    assert [journey.state for journey in world.journeys()] == ["stopped", "stopped", "active"]


def test_what_is_there_already_is_no_act(world: World) -> None:
    text = f"destination,channel\n{ANA},\n{ANA},email\n{ANA},\n"
    assert brought(world.engine, text) == Brought(2, 1)
    assert brought(world.engine, text, "again.csv") == Brought(0, 3)
    with world.engine.store.read() as tx:
        assert len(world.engine.do_not_contact.history(tx, ANA)) == 2


def test_an_entry_that_says_more_is_no_reason_to_leave_one_out(world: World) -> None:
    """Who comes off the wide one by one must not lose the narrow one with it."""
    brought(world.engine, f"email\n{ANA}\n@example.com\n")
    assert brought(world.engine, f"email,channel,covers\n{ANA},email,marketing\n") == Brought(1, 0)


def test_a_file_that_broke_off_is_brought_in_again_and_goes_on(world: World) -> None:
    text = "email\n" + "".join(f"p{number}@example.com\n" for number in range(50))
    bring(world.engine, rows(text)[:30], "list.csv", MONDAY)
    assert brought(world.engine, text) == Brought(20, 30)


def test_a_trial_says_what_it_would_come_to_and_does_nothing(world: World) -> None:
    brought(world.engine, f"email\n{ANA}\n")
    batch = rows(f"email\n{ANA}\nben@example.com\nben@example.com\n")
    trial = Trial(world.engine)
    assert trial.bring(batch) == Brought(1, 2)
    assert trial.bring(batch) == Brought(0, 3)
    assert len(listed(world.engine)) == 1
    assert Trial(None).bring(batch) == Brought(2, 1)


def test_an_erased_address_does_not_come_back_in_clear(world: World) -> None:
    world.contact("ana", email=ANA)
    brought(world.engine, f"email\n{ANA}\n")
    older = exported(world.engine)
    erase(world.engine, "ana", MONDAY)
    assert brought(world.engine, older) == Brought(0, 1)
    assert ANA not in exported(world.engine)
    assert brought(world.engine, exported(world.engine)) == Brought(0, 1)


def test_what_not_every_database_can_hold_keeps_nobody_off_the_list(world: World) -> None:
    said = {"sender": "a\0b", "reason": "\0too many", "source": "M\ud800O\0"}
    records = [{"destination": ANA, "channel": "email", **said}]
    records += [{"destination": id, "channel": "push"} for id in ("a\0b", "\ud800", "x" * 201, "ž" * 200)]
    file = "\n".join(map(json.dumps, records)).encode()
    found = list(read_list(io.BytesIO(file), "jsonl"))
    assert [each.line for each in found if not isinstance(each, Row)] == [2, 3, 4]
    bring(world.engine, [each for each in found if isinstance(each, Row)], "list.jsonl", MONDAY)
    assert entries(world.engine) == {
        Entry(ANA, "email", "ab", "everything"), Entry("ž" * 200, "push", "", "everything")
    }  # fmt: skip


def test_many_domains_are_no_trouble(world: World) -> None:
    text = "domain\n" + "".join(f"@d{number}.example\n" for number in range(1_500))
    assert brought(world.engine, text) == Brought(1_500, 0)


# --- "re-import resurrects opt-outs", as users of other systems put it


def test_importing_again_brings_nobody_back(world: World) -> None:
    """listmonk#2008, listmonk#2192, Mailtrain#325, glific#2066: a re-import resurrects opt-outs."""
    world.contact("ana", email=ANA)
    before = exported(world.engine)
    by_hand.block(world.engine, ANA, "email", MONDAY, reason="asked on the phone")
    now = listed(world.engine)
    world.contact("ana", email=ANA, status="subscribed")
    brought(world.engine, before)
    for says_yes in (f"email,status\n{ANA},subscribed\n", f"email,opted_out\n{ANA},no\n"):
        found = read_list(io.BytesIO(says_yes.encode()), "csv")
        bring(world.engine, [row for row in found if isinstance(row, Row)], "crm.csv", MONDAY)
    assert listed(world.engine) == now


_TO = st.one_of(
    st.from_regex(r"[a-z=+\-]{1,5}@[a-z]{1,4}\.example", fullmatch=True), st.just(NUMBER),
    st.from_regex(r"@[a-z]{1,4}\.example", fullmatch=True), st.from_regex(r"#[0-9a-f]{40}", fullmatch=True),
)  # fmt: skip
_COVERS = st.sampled_from(get_args(Covers))
_SENDERS = st.sampled_from(["", "news@acme.example", "+38595000111", "ACME", "=SUM(1)", "'x"])
_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n\0"), max_size=20) | st.sampled_from(
    ["=1+1", "'=1", "''-2", "@x", '"', "a,b", "\ta", "\ra", "two\nlines"]
)


def _channels(to: str) -> list[str]:
    if to.startswith("#"):
        return ["all", "email", "sms"]
    return ["all", "email"] if "@" in to else ["all", "sms", "whatsapp"]


_ENTRIES = _TO.flatmap(lambda to: st.builds(Entry, st.just(to), st.sampled_from(_channels(to)), _SENDERS, _COVERS))
_PUSH = st.builds(
    Entry, st.sampled_from(["c-1001", "1001", "ana.k"]), st.sampled_from(["push", "all"]), _SENDERS, _COVERS
)
_CHANGES = st.lists(
    st.builds(Change, st.just(True), _ENTRIES | _PUSH, _TEXT.filter(bool), st.none() | _TEXT, st.just(NOTHING)),
    max_size=8,
)


def _put(engine: Engine, changes: list[Change]) -> None:
    with engine.store.write() as tx:
        engine.do_not_contact.change(tx, changes, MONDAY)


@given(_CHANGES, st.sampled_from(["csv", "jsonl"]))
def test_what_was_exported_imports_to_the_same_list(changes: list[Change], form: Format) -> None:
    with World(MONDAY) as world, World(MONDAY) as other:
        _put(world.engine, changes)
        bring(other.engine, rows(exported(world.engine, form), form), "list", MONDAY)
        assert entries(other.engine) == entries(world.engine)
        assert [reason or None for _, reason in listed(other.engine)] == [
            reason or None for _, reason in listed(world.engine)
        ]
        with other.engine.store.read() as tx:
            assert verify_list(tx).wrong == 0


@given(_CHANGES, _CHANGES)
def test_no_import_makes_the_list_less(before: list[Change], other: list[Change]) -> None:
    with World(MONDAY) as world, World(MONDAY) as elsewhere:
        _put(world.engine, before)
        _put(elsewhere.engine, other)
        was = dict(zip((block for block, _ in listed(world.engine)), listed(world.engine), strict=True))
        brought(world.engine, exported(elsewhere.engine))
        now = dict(zip((block for block, _ in listed(world.engine)), listed(world.engine), strict=True))
        assert was.items() <= now.items()


@given(_CHANGES)
def test_by_way_of_infobip_it_covers_at_least_as_much(changes: list[Change]) -> None:
    with World(MONDAY) as world, World(MONDAY) as other:
        _put(world.engine, changes)
        text = exported(world.engine, "infobip")
        found = read_list(io.BytesIO(text.encode()), "csv", None, ["+38595000111"])
        bring(other.engine, [row for row in found if isinstance(row, Row)], "infobip.csv", MONDAY)
        kept = {
            entry._replace(covers="everything")
            for entry in entries(world.engine)
            if entry.channel != "push" and (entry.destination[0] == "+" or "@" in entry.destination)
        }
        assert entries(other.engine) == kept


# --- Export --------------------------------------------------------------------------------------


def test_all_pages_of_the_list_are_there_in_one_order(new_world: Callable[..., World]) -> None:
    """More entries of one destination than a page holds, and the page's end in the middle of them."""
    world = new_world()
    changes = [Change(True, Entry(ANA, "email", f"s{number}@acme.example", "everything"), "x") for number in range(950)]
    changes += [
        Change(True, Entry("ben@example.com", "all", f"s{number}", "marketing"), "x") for number in range(1_100)
    ]
    _put(world.engine, changes)
    found = [block for block, _ in listed(world.engine)]
    assert len(found) == len(set(found)) == len(changes)
    assert found == [block for block, _ in listed(world.engine)]
    with world.engine.store.read() as tx:
        assert len(list(do_not_contact.whole_list(tx, channel="all"))) == 1_100


@pytest.mark.parametrize("form", ["csv", "infobip"])
def test_no_cell_is_a_formula_but_for_numbers_and_domains(world: World, form: Format) -> None:
    reasons = ["=cmd|'/c calc'!A1", "+1+1", "-1", "@SUM(1)", "\t=1"]
    _put(world.engine, [
        Change(True, Entry(f"p{number}@example.com", "all", "=HYPERLINK(1)", "everything"), "=x", reason)
        for number, reason in enumerate(reasons)
    ])  # fmt: skip
    _put(world.engine, [Change(True, Entry(to, "all", "", "everything"), "x") for to in (NUMBER, "@acme.example")])
    cells = {cell for row in csv.reader(io.StringIO(exported(world.engine, form))) for cell in row}
    dangerous = {cell for cell in cells if cell[:1] in tuple("=+-@\t\r")}
    assert dangerous == ({NUMBER, "@acme.example"} if form == "csv" else set())


def test_infobips_columns_and_words(world: World) -> None:
    _put(world.engine, [
        Change(True, Entry(NUMBER, "sms", "+38595000111", "everything"), "keyword STOP"),
        Change(True, Entry(ANA, "email", "", "marketing"), "opt-out link"),
        Change(True, Entry(ANA, "email", "", "everything"), "flow win-back, element never"),
        Change(True, Entry("@acme.example", "all", "", "everything"), "a person"),
        Change(True, Entry("#" + "0" * 40, "all", "", "everything"), "a person"),
        Change(True, Entry("ana", "push", "", "everything"), "a person"),
    ])  # fmt: skip
    writing = Writing("infobip")
    lines = "".join(writing.lines(listed(world.engine))).splitlines()
    assert lines[0] == "Contact information,Sender,Source,Channel,Account,Added"
    at = "2026-03-02T09:00:00Z"
    assert lines[1:] == [
        f"385911234567,38595000111,MO,SMS,,{at}", f"acme.example,,CUSTOM,,,{at}",
        f"ana@example.com,,CAMPAIGN,EMAIL,,{at}",
    ]  # fmt: skip
    assert (writing.count, writing.left_out) == (3, 2)
