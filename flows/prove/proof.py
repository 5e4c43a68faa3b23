"""What a proof says: an answer, a sentence with its figures, and the path that shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tactful.elements.contract import NOTHING

Verdict = Literal["holds", "fails", "unknown"]
"""`holds` on every path; `fails` on the path shown; `unknown`: it cannot be known from the flow alone."""

Word = Literal["opt-out", "blocked", "end", "time", "day", "all"]
"""What a proof is called."""


@dataclass(frozen=True, slots=True)
class Stop:
    """An element on a path: left by `exit` when `at` ms have passed since the journey began; it stays there for ever
    where that is None. `note` says what matters about it here, "" where nothing does."""

    element: str
    exit: str | None
    at: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """One answer about a flow.

    `says` is the sentence. `figures` are its numbers, times in ms, None for one that has no bound. `path` is a
    counter-example, or the path that the figures are those of; where a journey may go round, `again_from` is the place
    in it that its last stop leads back to. `counted` are the assumptions the figures rest on.
    """

    word: Word
    verdict: Verdict
    says: str
    figures: Mapping[str, int | None] = field(default_factory=lambda: NOTHING)
    path: tuple[Stop, ...] = ()
    again_from: int | None = None
    counted: tuple[str, ...] = ()
