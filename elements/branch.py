"""The element `branch`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar

from pydantic import Field

from tactful.elements.contract import Element, Family, Leave, Stay, Visit
from tactful.elements.options.condition import Condition
from tactful.elements.options.paths import PathName


class Branch(Element):
    """Takes the first path whose condition holds.

    `paths` names the paths and their conditions, looked at from the top. The name of a path is the exit it
    leaves by; where no condition holds, the journey leaves by `otherwise`. Conditions may look at the
    contact, at the event that began the journey (`entry.`) and at values set on the way (`journey.`).

    Example:
        how_big:
          type: branch
          paths:
            vip: contact.orders >= 5 and contact.country in ["DE", "AT"]
            big: entry.value > 100
          next: {vip: voucher, big: voucher, otherwise: end}
    """

    exits: ClassVar[tuple[str, ...]] = ("otherwise",)
    family: ClassVar[Family] = "decide"

    paths: Mapping[PathName, Condition] = Field(
        min_length=1, description="The paths by name, each with its condition; the first that holds is taken."
    )

    def ways_out(self) -> tuple[str, ...]:
        return (*self.paths, *self.exits)

    def summary(self) -> str:
        return str(next(iter(self.paths.values()))) if len(self.paths) == 1 else " / ".join(self.paths)

    def enter(self, visit: Visit) -> Leave | Stay:
        for condition, leave in self._choices:
            if visit.holds(condition):
                return leave
        return _OTHERWISE

    @cached_property
    def _choices(self) -> tuple[tuple[Condition, Leave], ...]:
        return tuple((condition, Leave(name)) for name, condition in self.paths.items())


_OTHERWISE = Leave("otherwise")
