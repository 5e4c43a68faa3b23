"""What is counted while a crowd goes through, and added up: any part of a crowd by itself, in any order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from tactful.engine.simulation.machine import Machine
from tactful.engine.simulation.spot import KINDS

if TYPE_CHECKING:
    from tactful.engine.simulation.life import Life

STOPPED, FAILED = "(stopped)", "(failed)"
"""The exits of those taken out: by a rule of `stop_when`, or because they lost their way."""


class Tally:
    """The counts of a crowd, or a part of one. Lists go by the numbers of spots and of exits (see `machine.py`)."""

    __slots__ = ("_leads", "_start", "began", "blocked_by", "contacts", "failed", "goals", "happened", "held", "hours",
                 "left", "opted_out", "own_events", "refused", "sent_by", "standing", "taken", "took")  # fmt: skip

    def __init__(self, machine: Machine) -> None:
        spots = len(machine.spots)
        self._start = machine.start.number
        self._leads = machine.leads
        self.contacts = 0
        self.began = 0
        self.refused = 0
        self.failed = 0
        self.held = 0
        self.opted_out = 0
        self.left = [0] * len(machine.exits)
        self.standing = [0] * spots
        self.sent_by = [0] * spots
        self.happened = [0] * (spots * len(KINDS))
        # Not counters: these are made in Python, and slow to add to.
        self.taken: dict[tuple[int, str], int] = defaultdict(int)
        self.hours: dict[int, int] = defaultdict(int)
        self.goals: dict[str, int] = defaultdict(int)
        self.blocked_by: dict[str, int] = defaultdict(int)
        self.took: dict[int, int] = defaultdict(int)
        self.own_events: dict[str, int] = defaultdict(int)

    def taken_out(self, spot: int, how: str) -> None:
        """A journey was taken out where it stood."""
        self.taken[spot, how] += 1
        if how == FAILED:
            self.failed += 1

    def end(self, life: Life) -> None:
        """A contact's life is over: where they still stand, and whether they may be written to."""
        self.contacts += 1
        for journey in life.running:
            assert journey.spot is not None
            self.standing[journey.spot.number] += 1
        if life.mail.blocks:
            self.opted_out += 1

    @property
    def finished(self) -> int:
        """Journeys that came to an end of the flow."""
        return sum(self.took.values())

    @property
    def arrived(self) -> list[int]:
        """How often each spot was come to: by whoever began there, or left another for it."""
        arrived = [0] * len(self.standing)
        arrived[self._start] = self.began
        for number, spot in zip(self.left, self._leads, strict=True):
            if spot is not None:
                arrived[spot] += number
        return arrived

    @property
    def visits(self) -> int:
        """Elements that were left."""
        return sum(self.left) + sum(self.taken.values())

    @property
    def sent_in_all(self) -> int:
        """Messages that went out."""
        return sum(self.sent_by)

    def add(self, other: Tally) -> Self:
        """Add another part of the crowd to this one."""
        for name in ("contacts", "began", "refused", "failed", "held", "opted_out"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("left", "standing", "sent_by", "happened"):
            setattr(self, name, [one + two for one, two in zip(getattr(self, name), getattr(other, name), strict=True)])
        for name in ("taken", "hours", "goals", "blocked_by", "took", "own_events"):
            mine: dict[Any, int] = getattr(self, name)
            for key, number in getattr(other, name).items():
                mine[key] += number
        return self


def percentile(took: Mapping[int, int], share: float) -> int | None:
    """The time (in the counter's unit) within which this share was through; None where there is nothing."""
    total = sum(took.values())
    if not total:
        return None
    wanted, so_far = share * total, 0
    for time in sorted(took):
        so_far += took[time]
        if so_far >= wanted:
            return time
    return max(took)


def spread(numbers: Sequence[float]) -> tuple[float, float, float]:
    """The lowest, the middle and the highest of some numbers."""
    ordered = sorted(numbers)
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return ordered[0], median, ordered[-1]
