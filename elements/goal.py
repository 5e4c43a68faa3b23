"""The element `goal`."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

from pydantic import Field, field_validator

from tactful.elements.contract import Element, Family, Leave, ReachGoal, Stay, Visit
from tactful.elements.options.mistake import Mistake


class Goal(Element):
    """Counts that the contact reached a goal of the flow.

    `name` is the goal as reports show it. Whoever comes by is counted, and the journey goes on by `done`.

    Example:
        bought:
          type: goal
          name: bought again
          next: end
    """

    family: ClassVar[Family] = "finish"

    name: str = Field(description="The name of the goal, as reports show it.")

    @field_validator("name")
    @classmethod
    def _says_something(cls, name: str) -> str:
        if not name.strip():
            raise Mistake("a goal needs a name", code="empty")
        return name.strip()

    def summary(self) -> str:
        return self.name

    def enter(self, visit: Visit) -> Leave | Stay:
        return self._leave

    @cached_property
    def _leave(self) -> Leave:
        return Leave(effects=(ReachGoal(self.name),))
