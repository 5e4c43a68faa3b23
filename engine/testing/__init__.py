"""Flows tried out: the real engine on a database in memory, in virtual time, with nobody written to.

    from tactful.engine.testing import World

    with World("2026-03-02 09:00", time_zone="Europe/Zagreb") as world:
        world.flow("win-back.yaml")
        world.contact("ana@example.com", first_name="Ana")
        world.happens("basket_abandoned", "ana@example.com", value=35)
        world.advance(hours=48)
        assert world.journey().path == ["offer", "opened", "unopened"]

pytest brings a `world` of its own to every test that asks for one, and runs scenarios (`*.flowtest.yaml`) as tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tactful.engine.testing.journey import JourneyView
    from tactful.engine.testing.post import Sent
    from tactful.engine.testing.world import World

__all__ = ["JourneyView", "Sent", "World"]

_WHERE = {"JourneyView": "journey", "Sent": "post", "World": "world"}


def __getattr__(name: str) -> object:
    """Brings the engine in with the first name asked for: every run of pytest imports this package for its plugin."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
