"""The element `score`."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from tactful.elements.contract import Element, Family, Leave, Stay, UpdateContact, Visit
from tactful.elements.options.mistake import Mistake

ATTRIBUTE = "score"


class Score(Element):
    """Adds points to the contact's score and says whether they are hot by now.

    `points` are added to the attribute `score`; negative ones are taken off, though a score never falls below 0.
    The journey leaves by `hot` when the score has reached `hot_from`, by `cold` otherwise.

    Example:
        clicked_offer:
          type: score
          points: 10
          hot_from: 50
          next: {hot: call_them, cold: end}
    """

    exits: ClassVar[tuple[str, ...]] = ("hot", "cold")
    family: ClassVar[Family] = "decide"

    points: int = Field(description="How many points to add; negative ones are taken off.")
    hot_from: int = Field(gt=0, description="From how many points on a contact is hot.")

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if self.points == 0:
            raise Mistake("0 points change nothing", hint="write 1, 10 or -5", code="no-points")
        return self

    def summary(self) -> str:
        return f"{self.points:+} points, hot from {self.hot_from}"

    def enter(self, visit: Visit) -> Leave | Stay:
        # An element acts through what it answers. It is told the time, and may ask nothing else: so the same visit
        # always has the same answer, in production, in a test and in a replay.
        before = visit.contact.attributes.get(ATTRIBUTE)
        score = max(0, (before if isinstance(before, int) else 0) + self.points)
        change = UpdateContact(set={ATTRIBUTE: score})
        return Leave(by="hot" if score >= self.hot_from else "cold", effects=(change,))
