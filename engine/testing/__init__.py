"""Flows tried out: the real engine on a database in memory, in virtual time, with nobody written to."""

from tactful.engine.testing.world import Sent, World

__all__ = ["Sent", "World"]
