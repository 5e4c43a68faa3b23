"""What the engine's tests share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from tactful.engine.clock import SystemClock
from tactful.engine.store.database import IN_MEMORY
from tactful.engine.testing import World

MONDAY = 1_772_442_000_000
"""2026-03-02 09:00 UTC, a Monday."""


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for what another thread or process brings about; fail where it does not."""
    clock, pause = SystemClock(), threading.Event()
    give_up_at = clock.monotonic() + seconds
    while not holds():
        assert clock.monotonic() < give_up_at, "it did not come about in time"
        pause.wait(0.005)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_world(request: pytest.FixtureRequest) -> Iterator[Callable[..., World]]:
    """Make worlds, on each kind of database; they end with the test."""
    worlds = []

    def make(now: int = MONDAY, **settings: object) -> World:
        url = request.getfixturevalue("postgresql").new_database() if request.param == "postgresql" else IN_MEMORY
        world = World(now, **{"database": url, **settings})  # type: ignore[arg-type]
        worlds.append(world)
        return world

    yield make
    for world in worlds:
        world.close()


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    """A world on a Monday morning, 2026-03-02 09:00 UTC."""
    return new_world()
