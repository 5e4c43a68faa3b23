"""The history of the list shows what was done to it afterwards. A real database, tampered with from outside."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from hypothesis import given
from hypothesis import strategies as st

import tactful.engine.store.migrations
from tactful.engine.clock import SystemClock
from tactful.engine.compose import Engine, open_engine
from tactful.engine.optout import by_hand
from tactful.engine.optout.do_not_contact import Change, Entry
from tactful.engine.optout.verifying import Seal, Verified, verify_list
from tactful.engine.store.database import open_store
from tactful.engine.testing import World
from tactful.engine.upgrading import bring_up_to_date

ANA, BEN, CLEO = "ana@example.com", "ben@example.com", "+385911234567"
MONDAY = 1_772_442_000_000


def change(engine: Engine, adds: bool, to: str, at: int, reason: str | None = None) -> None:
    with engine.store.write() as tx:
        entry = Entry(to, "all", "", "everything")
        engine.do_not_contact.change(tx, [Change(adds, entry, "a person", reason, {"n": at})], at)


def verified(engine: Engine, sealed: Seal | None = None) -> Verified:
    with engine.store.read() as tx:
        return verify_list(tx, sealed)


@pytest.fixture
def engine(new_world: Callable[..., World]) -> Engine:
    """Ana: put on, off, on again (acts 1, 3, 5). Ben: put on (2) and off (4). Cleo: put on twice (6, 7)."""
    engine = new_world().engine
    steps = [(True, ANA), (True, BEN), (False, ANA), (False, BEN), (True, ANA), (True, CLEO), (True, CLEO)]
    for at, (adds, to) in enumerate(steps, 1):
        change(engine, adds, to, at, f"reason {at}")
    return engine


def found(engine: Engine, *tampering: str, sealed: Seal | None = None) -> Verified:
    """What verify says after somebody has been at the database."""
    with engine.store.write() as tx:
        for each in tampering:
            tx.exec_driver_sql(each)
    return verified(engine, sealed)


def faults(engine: Engine, *tampering: str) -> list[tuple[str, str, int | None]]:
    return [(each.what, each.destination, each.act) for each in found(engine, *tampering).faults]


def test_a_history_nobody_touched_is_as_it_was_written(engine: Engine) -> None:
    now = found(engine)
    assert (now.acts, now.destinations, now.entries, now.wrong, now.as_sealed) == (7, 3, 2, 0, None)


def test_a_changed_reason_is_named_with_its_act(engine: Engine) -> None:
    (fault,) = found(engine, "update block_act set reason = 'another' where id = 3").faults
    assert (fault.what, fault.destination, fault.act, fault.at) == ("broken", ANA, 3, 3)
    assert "act 3 (unblock for everything by any channel, from any sender, a person)" in fault.says


@pytest.mark.parametrize(
    "column",
    ["channel", "sender", "covers", "source", "reason", "at", "evidence", "hash"],
)
def test_whatever_is_changed_of_an_act_shows(engine: Engine, column: str) -> None:
    assert ("broken", BEN, 4) in faults(engine, f"update block_act set {column} = '5' where id = 4")


def test_an_act_given_to_another_address_breaks_there(engine: Engine) -> None:
    assert ("broken", BEN, 3) in faults(engine, f"update block_act set destination = '{BEN}' where id = 3")


def test_an_act_taken_out_of_the_middle_shows_at_the_next(engine: Engine) -> None:
    assert faults(engine, "delete from block_act where id = 3") == [("broken", ANA, 5), ("changed", ANA, 1)]


def test_a_first_act_taken_out_shows(engine: Engine) -> None:
    (fault, *_) = found(engine, "delete from block_act where id = 1").faults
    assert fault.act == 3
    assert "the first act on this destination was taken out" in fault.says


def test_two_acts_that_changed_places_show(engine: Engine) -> None:
    swap = [
        "update block_act set id = -1 where id = 3", "update block_act set id = 3 where id = 5",
        "update block_act set id = 5 where id = -1",
    ]  # fmt: skip
    assert ("broken", ANA, 3) in faults(engine, *swap)


def test_an_act_slipped_in_shows(engine: Engine) -> None:
    slip = (
        "insert into block_act (destination, channel, sender, covers, act, source, at, hash) "
        f"values ('{ANA}', 'all', '', 'everything', 'unblock', 'nobody', 9, 'abc')"
    )
    assert faults(engine, slip, f"delete from block where destination = '{ANA}'") == [("broken", ANA, 8)]


def test_an_entry_that_is_gone_is_missing(engine: Engine) -> None:
    assert faults(engine, f"delete from block where destination = '{ANA}'") == [("missing", ANA, 5)]


def test_an_entry_put_there_by_hand_is_unfounded(engine: Engine) -> None:
    put = "insert into block values ('{}', 'email', '', 'everything', 'nobody', null, 9)"
    before, between, behind = "+1", "b@example.com", "zoe@example.com"
    puts = [put.format(each) for each in (before, ANA, between, behind)]
    assert [each[:2] for each in faults(engine, *puts)] == [
        ("unfounded", before), ("unfounded", ANA), ("unfounded", between), ("unfounded", behind),
    ]  # fmt: skip


def test_an_entry_says_what_its_first_act_says(engine: Engine) -> None:
    (fault,) = found(engine, f"update block set reason = 'nicer' where destination = '{CLEO}'").faults
    assert (fault.what, fault.act) == ("changed", 6)
    assert "reason 'nicer', not 'reason 6'" in fault.says


@pytest.mark.parametrize("new_world", ["sqlite"], indirect=True)  # PostgreSQL takes no text for a number
def test_values_of_kinds_that_were_never_written_are_faults_and_no_crash(engine: Engine) -> None:
    tampering = [
        "update block_act set evidence = x'ff00' where id = 3",
        "update block_act set at = 'long ago' where id = 2",
        (
            "insert into block_act (destination, channel, sender, covers, act, source, at, hash) "
            "values (x'00ff', x'01', '', '', '', '', 0, x'02')"
        ),
        "insert into block values (x'0001', 'all', '', 'everything', 'x', null, 1)",
    ]
    assert {each[0] for each in faults(engine, *tampering)} == {"broken", "unfounded"}


def test_of_many_faults_all_are_counted_and_some_told(engine: Engine) -> None:
    many = (
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1500) "
        "insert into block select 'x' || i, 'all', '', 'everything', 'x', null, 1 from n"
    )
    now = found(engine, many)
    assert (now.wrong, len(now.faults)) == (1500, 1000)


# --- The seal ------------------------------------------------------------------------------------


def test_an_end_cut_off_with_its_entry_shows_only_by_the_seal(engine: Engine) -> None:
    seal = found(engine).seal
    cut = ["delete from block_act where id >= 6", f"delete from block where destination = '{CLEO}'"]
    now = found(engine, *cut, sealed=seal)
    assert (now.wrong, now.as_sealed) == (0, False)


def test_a_history_written_anew_shows_by_the_seal(engine: Engine) -> None:
    seal = found(engine).seal
    found(engine, "delete from block_act where id = 7")
    change(engine, True, CLEO, 7, "another reason")
    now = found(engine, "update block_act set id = 7 where id = 8", sealed=seal)
    assert (now.wrong, now.as_sealed) == (0, False)


def test_acts_that_come_later_do_not_change_what_was_sealed(engine: Engine) -> None:
    seal = found(engine).seal
    change(engine, False, ANA, 8)
    change(engine, True, "new@example.com", 9)
    now = verified(engine, seal)
    assert (now.wrong, now.as_sealed) == (0, True)
    assert now.seal != seal


@pytest.mark.parametrize("text", ["", "7", "7:abc", "x:" + "0" * 64, "7:" + "g" * 64, "7:" + "0" * 65])
def test_what_is_no_seal_is_none(text: str) -> None:
    assert Seal.read(text) is None


def test_a_seal_is_read_as_it_is_written() -> None:
    seal = Seal(1204, "0a" * 32)
    assert Seal.read(f" {seal}\n") == seal


# --- Whatever happens ----------------------------------------------------------------------------

_ADDRESSES = ("ana@example.com", "@example.com", "+385911234567", "žarko@example.com", "Zed", "#00ff", "\U0001f600")
_CHANGES = st.lists(
    st.tuples(st.booleans(), st.sampled_from(_ADDRESSES), st.sampled_from(["email", "all"]), st.text(max_size=5)),
    max_size=12,
)


@given(_CHANGES, _CHANGES)
def test_every_list_that_was_only_changed_by_its_own_means_verifies(
    first: list[tuple[bool, str, str, str]], then: list[tuple[bool, str, str, str]]
) -> None:
    with World(MONDAY) as world:
        _carry_out(world.engine, first, 1)
        seal = verified(world.engine).seal
        _carry_out(world.engine, then, 2)
        now = verified(world.engine, seal)
    assert (now.wrong, now.as_sealed) == (0, True)


def _carry_out(engine: Engine, changes: list[tuple[bool, str, str, str]], at: int) -> None:
    with engine.store.write() as tx:
        engine.do_not_contact.change(
            tx, [Change(adds, Entry(to, channel, "", "everything"), "x", why) for adds, to, channel, why in changes], at
        )


def test_it_is_the_same_in_every_kind_of_database(new_world: Callable[..., World]) -> None:
    engine = new_world().engine
    changes = [
        (True, to, "all", "why") for to in (*_ADDRESSES, "éva@example.com", "eva@example.com", "Eva@x", "_", "-")
    ]
    _carry_out(engine, changes, 1)
    now = verified(engine)
    assert (now.wrong, now.acts) == (0, len(changes))
    assert now.seal.digest == "415a0c9757099b3da58ad273f5275424ee57b214c4878a91124ba1abac67dc1d"


# --- From before there were chains ---------------------------------------------------------------


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A database of the first schema, with a history."""
    file = tmp_path / "old.db"
    store = open_store(f"sqlite:///{file}")
    config = Config()
    config.set_main_option("script_location", str(Path(tactful.engine.store.migrations.__file__).parent))
    with store.write() as tx:
        config.attributes["connection"] = tx
        command.upgrade(config, "0001")
    store.close()
    with closing(sqlite3.connect(file)) as connection, connection:
        for number in range(1, 2_501):
            act = (f"p{number % 700}@example.com", "all", "", "everything", "block", "keyword STOP", None, number, "{}")
            connection.execute("insert into block_act values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (number, *act))
            entry = (*act[:4], *act[5:8])
            connection.execute("insert or ignore into block values (?, ?, ?, ?, ?, ?, ?)", entry)
    return file


def test_a_history_from_before_is_chained_and_verifies(old: Path) -> None:
    with closing(open_store(f"sqlite:///{old}")) as store:
        bring_up_to_date(store, SystemClock(), lambda has, newest: None)
    engine = open_engine(f"sqlite:///{old}")
    now = verified(engine)
    assert (now.acts, now.destinations, now.entries, now.wrong) == (2_500, 700, 700, 0)
    by_hand.unblock(engine, "p1@example.com", "all", MONDAY, reason="asked")
    assert verified(engine, now.seal).as_sealed
    engine.close()
