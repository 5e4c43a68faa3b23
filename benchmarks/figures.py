"""What is measured: figures, and the targets they are held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

PROCESSOR, WALL = "processor", "wall"


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on a figure; with `of_floor`, on its ratio to the floor."""

    most: float | None = None
    least: float | None = None
    of_floor: bool = False

    def met(self, figure: Figure) -> bool | None:
        """Whether a figure keeps it; None where there is no floor to compare with."""
        value = figure.ratio if self.of_floor else figure.value
        if value is None:
            return None
        return (self.most is None or value <= self.most) and (self.least is None or value >= self.least)

    def __str__(self) -> str:
        bound = f"≤ {shown(self.most)}" if self.most is not None else f"≥ {shown(self.least or 0)}"
        return f"{bound} of floor" if self.of_floor else bound


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured. `clock` says which time it is made of, None where it is no time; `floor` is the same figure
    of the floor, from the same run."""

    what: str
    value: float
    unit: str
    clock: str | None = PROCESSOR
    floor: float | None = None
    target: Target | None = None

    @property
    def ratio(self) -> float | None:
        """How it compares with the floor."""
        return self.value / self.floor if self.floor else None

    @property
    def met(self) -> bool | None:
        """Whether it keeps its target; None where it has none."""
        return None if self.target is None else self.target.met(self)

    def plain(self) -> dict[str, Any]:
        """As data, for `--json`."""
        return {
            "what": self.what, "value": self.value, "unit": self.unit, "clock": self.clock, "floor": self.floor,
            "ratio": self.ratio, "target": None if self.target is None else str(self.target), "met": self.met,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Point:
    """A point of the plot: what a contact costs, engine and floor, with so many contacts behind it."""

    behind: int
    engine: float
    floor: float


@dataclass(frozen=True, slots=True)
class Chapter:
    """What one benchmark found. `said` is what a reader must know of it; `points` go into the plot."""

    title: str
    figures: Sequence[Figure]
    said: str = ""
    points: Sequence[Point] = ()


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so large a share of all values (0 … 1) does not exceed."""
    return sorted(values)[max(0, ceil(len(values) * share) - 1)]


def shown(value: float) -> str:
    """A number to be read: three digits or so, thousands apart."""
    size = abs(value)
    if size < 0.0005:
        return "0"
    digits = 0 if size >= 100 or value == int(value) else 1 if size >= 10 else 2 if size >= 0.1 else 3
    return f"{value:,.{digits}f}"
