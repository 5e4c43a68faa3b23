"""What the runner asks of the database: a turn to write only where there is something to do, and a short one where
others wait for theirs."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from tests.engine.conftest import MONDAY

from tactful.engine.clock import SetClock, SystemClock
from tactful.engine.contacts import put_contacts
from tactful.engine.contacts_file import ContactFields
from tactful.engine.runner import FEW, Runner
from tactful.engine.store.database import Store
from tactful.engine.store.tally import Observer, Tally
from tactful.engine.testing import World

CLOCK = SystemClock()
HOUR = 3_600_000
PAUSE = "flow: f\nelements: {rest: {type: pause, for: 24 hours}}\n"


class Noted(Observer):
    """Counts who asked for a turn to write, and keeps how many contacts had theirs in each that was committed."""

    def __init__(self) -> None:
        self.asked_for = 0
        self.turns: list[int] = []

    def asked(self) -> Tally:
        self.asked_for += 1
        return Tally()

    def committed(self, tally: Tally) -> None:
        self.turns.append(tally.turns)


def crowd(world: World, people: int) -> Noted:
    """So many rest until a day later."""
    host, now = world.engine.host, world.clock.now()
    world.publish(PAUSE)
    keys = [f"c{number}" for number in range(people)]
    put_contacts(host, [ContactFields(key) for key in keys], now)
    host.enter("f", keys, now)
    world.engine.store.observer = noted = Noted()
    return noted


def make_one_wait(store: Store) -> None:
    """Let a thread wait for its turn to write."""

    def write() -> None:
        with store.write():
            pass

    thread = threading.Thread(target=write)
    with store.write():
        thread.start()
        give_up_at = CLOCK.monotonic() + 60
        while store.waits == 0:
            assert CLOCK.monotonic() < give_up_at, "it does not wait"
            threading.Event().wait(0.001)
    thread.join()


def test_woken_for_nothing_it_asks_for_no_turn_to_write(new_world: Callable[..., World]) -> None:
    world = new_world()
    noted = crowd(world, 1)
    assert Runner(world.engine, SetClock(MONDAY + 23 * HOUR)).work() == MONDAY + 24 * HOUR
    assert noted.asked_for == 0
    assert Runner(world.engine, SetClock(MONDAY + 24 * HOUR)).work() is None
    assert noted.turns == [1]


@pytest.mark.parametrize(("others_wait", "turns"), [(False, [FEW + 50]), (True, [FEW, 50])])
def test_it_takes_short_turns_where_others_wait_for_theirs(others_wait: bool, turns: list[int]) -> None:
    world = World(MONDAY)
    noted = crowd(world, FEW + 50)
    store = world.engine.store
    if others_wait:
        make_one_wait(store)
        noted.turns.clear()
    assert Runner(world.engine, SetClock(MONDAY + 24 * HOUR)).work() is None
    assert noted.turns == turns
    assert store.waits == others_wait
    world.close()
