"""A journey as a test looks at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tactful.engine.interpreter import ACTIVE, Journey, Visited
from tactful.engine.testing.post import Sent

if TYPE_CHECKING:
    from tactful.engine.testing.world import World


class JourneyView:
    """One contact's passage through a flow, always as it stands now.

    >>> journey = world.journey("ana@example.com")
    >>> journey.path
    ['offer', 'opened']
    >>> world.advance(hours=48)
    >>> journey.path, journey.ended
    (['offer', 'opened', 'unopened'], 'unopened')
    """

    def __init__(self, world: World, id: int) -> None:
        self._world = world
        self.id = id

    def __repr__(self) -> str:
        where = f"stands at {self.stands_at}" if self.stands_at else f"{self.state} at {self.ended}"
        return f"<journey {self.id} through {self.flow}: {where}>"

    @property
    def row(self) -> Journey:
        """Everything that is stored of it."""
        return next(each for each in self._world.journeys() if each.id == self.id)

    @property
    def flow(self) -> str:
        """The flow's id."""
        return self.row.flow

    @property
    def state(self) -> str:
        """`active`, `done` (it came to an end), `stopped` (by a rule), `removed` (by hand) or `failed`."""
        return self.row.state

    @property
    def why(self) -> str | None:
        """Why it was stopped, removed or failed, in words."""
        return self.row.why

    @property
    def stands_at(self) -> str | None:
        """The element it stands at; None once it has ended."""
        return self.row.element

    @property
    def ended(self) -> str | None:
        """The last element it visited; None while it is still under way."""
        return None if self.row.state == ACTIVE else self.path[-1]

    @property
    def path(self) -> list[str]:
        """The elements it visited, in their order, with the one it stands at."""
        here = self.stands_at
        return [visit.element for visit in self.visits] + ([here] if here is not None else [])

    @property
    def visits(self) -> Sequence[Visited]:
        """The elements it left, each with the exit it took and when."""
        return self._world.visits(self.id)

    @property
    def sent(self) -> list[Sent]:
        """The messages of it that left, in their order."""
        return [sent for sent in self._world.sent() if sent.key.journey == self.id]

    @property
    def goals(self) -> list[str]:
        """The goals it reached."""
        return [name for journey, name in self._world.goals() if journey == self.id]

    @property
    def values(self) -> Mapping[str, Any]:
        """What it remembers, as `journey.NAME`."""
        return self.row.values
