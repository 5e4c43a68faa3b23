"""What the engine's tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tactful.engine.testing import World

MONDAY = 1_772_442_000_000
"""2026-03-02 09:00 UTC, a Monday."""


@pytest.fixture
def new_world() -> Iterator[Callable[..., World]]:
    """Make worlds; they end with the test."""
    worlds = []

    def make(now: int = MONDAY, **settings: object) -> World:
        world = World(now, **settings)  # type: ignore[arg-type]
        worlds.append(world)
        return world

    yield make
    for world in worlds:
        world.close()


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    """A world on a Monday morning, 2026-03-02 09:00 UTC."""
    return new_world()
