"""What was kept long enough is let go, and nothing else."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select

from tactful.elements.options.duration import Duration
from tactful.engine.clock import SetClock
from tactful.engine.compose import Engine
from tactful.engine.optout.do_not_contact import Change, Entry
from tactful.engine.optout.retention import BATCH, EVERY, Retention
from tactful.engine.optout.verifying import verify_list
from tactful.engine.runner import Runner
from tactful.engine.store.statements import BLOCK_ACT, INBOUND
from tactful.engine.switches import histories_let_go
from tactful.engine.testing import World

MONDAY = 1_772_442_000_000
DAY = 86_400_000
YEARS = Duration.parse("1827 days")
NOW = MONDAY + 1_827 * DAY + 2 * 3_600_000 + 10  # on the farther side of any clock change
ON, OFF = True, False


def act(engine: Engine, adds: bool, to: str, at: int) -> None:
    with engine.store.write() as tx:
        engine.do_not_contact.change(tx, [Change(adds, Entry(to, "all", "", "everything"), "x")], at)


def came_in(engine: Engine, to: str, at: int, review: int | None = None) -> None:
    with engine.store.write() as tx:
        row = {
            "sender": "s",
            "destination": to,
            "text": "x",
            "at": at,
            "normalised": "x",
            "decision": "none",
            "why": "",
        }
        tx.execute(insert(INBOUND).values(**row, review_due_at=review))


def kept(engine: Engine) -> tuple[list[str], list[str]]:
    """The destinations with a history, and those with messages that came in."""
    with engine.store.read() as tx:
        assert verify_list(tx).wrong == 0
        acts = tx.scalars(select(BLOCK_ACT.c.destination).distinct().order_by(BLOCK_ACT.c.destination))
        return list(acts), list(tx.scalars(select(INBOUND.c.destination).order_by(INBOUND.c.destination)))


def finish(retention: Retention, now: int) -> int:
    steps = 0
    while retention.go_on(now):
        steps += 1
    return steps


def test_a_history_goes_as_a_whole_when_it_is_off_the_list_and_its_last_act_is_old(world: World) -> None:
    engine = world.engine
    for to, *acts in (
        ("gone", ON, OFF), ("on the list", ON), ("on again", ON, OFF, ON),
    ):  # fmt: skip
        for adds in acts:
            act(engine, bool(adds), str(to), MONDAY)
    act(engine, ON, "off lately", MONDAY)
    act(engine, OFF, "off lately", NOW - DAY)
    finish(Retention(engine, YEARS), NOW)
    assert kept(engine)[0] == ["off lately", "on again", "on the list"]
    with engine.store.read() as tx:
        assert histories_let_go(tx) == NOW


def test_nothing_goes_before_its_time(world: World) -> None:
    act(world.engine, ON, "ana", MONDAY)
    act(world.engine, OFF, "ana", MONDAY)
    came_in(world.engine, "ana", MONDAY)
    finish(Retention(world.engine, YEARS), MONDAY + 1_826 * DAY)
    assert kept(world.engine) == (["ana"], ["ana"])
    with world.engine.store.read() as tx:
        assert histories_let_go(tx) is None


def test_messages_that_came_in_go_but_for_those_that_wait_to_be_read(world: World) -> None:
    came_in(world.engine, "old", MONDAY)
    came_in(world.engine, "unread", MONDAY, review=NOW + DAY)
    came_in(world.engine, "new", NOW)
    finish(Retention(world.engine, YEARS), NOW)
    assert kept(world.engine)[1] == ["new", "unread"]


def test_whoever_was_let_go_begins_a_new_history(world: World) -> None:
    act(world.engine, ON, "ana", MONDAY)
    act(world.engine, OFF, "ana", MONDAY)
    finish(Retention(world.engine, YEARS), NOW)
    act(world.engine, ON, "ana", NOW)
    assert kept(world.engine)[0] == ["ana"]


def test_it_goes_on_in_small_steps_and_once_a_day(world: World) -> None:
    changes = [
        Change(adds, Entry(f"p{number:04}", "all", "", "everything"), "x")
        for number in range(BATCH + 10)
        for adds in (ON, OFF)
    ]
    with world.engine.store.write() as tx:
        world.engine.do_not_contact.change(tx, changes, MONDAY)
    retention = Retention(world.engine, YEARS)
    assert finish(retention, NOW) >= 2
    assert kept(world.engine)[0] == []
    act(world.engine, ON, "later", MONDAY)
    act(world.engine, OFF, "later", MONDAY)
    assert finish(retention, NOW + EVERY - 1) == 0
    assert finish(retention, NOW + EVERY) > 0
    assert kept(world.engine)[0] == []


def test_a_clock_that_was_set_back_does_not_stop_it(world: World) -> None:
    retention = Retention(world.engine, YEARS)
    finish(retention, NOW + 1_000 * DAY)
    act(world.engine, ON, "ana", MONDAY)
    act(world.engine, OFF, "ana", MONDAY)
    finish(retention, NOW)
    assert kept(world.engine)[0] == []


@pytest.mark.parametrize("days", [1_800, 1_829])
def test_the_runner_does_it_when_nothing_is_due(world: World, days: int) -> None:
    act(world.engine, ON, "ana", MONDAY)
    act(world.engine, OFF, "ana", MONDAY)
    clock = SetClock(MONDAY)
    runner = Runner(world.engine, clock, retention=Retention(world.engine, YEARS))
    runner.work()
    clock.set(MONDAY + days * DAY)
    runner.work()
    assert kept(world.engine)[0] == (["ana"] if days == 1_800 else [])
