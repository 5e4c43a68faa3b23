"""What was done, counted where it is done: in the transaction that does it, and told once it is committed.

Counting is a few additions to a transaction, none to a contact. Whoever wants to know passes an `Observer` to the
store; what was rolled back is told to nobody.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy import Connection


@dataclass(slots=True)
class Tally:
    """What one write transaction did so far.

    `messages` counts by sender and by what became of them, `opt_outs` by the kind of their source
    (`optout/sources.py`). `asked_at` and `began_at` are seconds of the observer's own clock: when the transaction was
    asked for, and when it had its turn to write.
    """

    turns: int = 0
    visits: int = 0
    events: int = 0
    messages: Counter[tuple[str, str]] = field(default_factory=Counter)
    opt_outs: Counter[str] = field(default_factory=Counter)
    asked_at: float = 0.0
    began_at: float = 0.0

    def add(self, other: Tally) -> None:
        """Count what another one counted, too."""
        self.turns += other.turns
        self.visits += other.visits
        self.events += other.events
        for pair, number in other.messages.items():
            self.messages[pair] = self.messages.get(pair, 0) + number
        for kind, number in other.opt_outs.items():
            self.opt_outs[kind] = self.opt_outs.get(kind, 0) + number


class Observer:
    """Is told what was done, by any thread. This one does not listen."""

    def asked(self) -> Tally:
        """A transaction waits for its turn to write."""
        return Tally()

    def began(self, tally: Tally) -> None:
        """It has its turn."""

    def committed(self, tally: Tally) -> None:
        """All that it counted is true now."""

    def failed(self, why: str) -> None:
        """The database did not let it write: nothing of it is true. `why` is in words."""

    def unanswered(self, why: str) -> None:
        """The database did not do what it was asked, to read or to write; where it was to write, `failed` is next."""

    def answered(self) -> None:
        """It did what it was asked; where it was to write, `committed` is next."""

    def provider_failed(self, sender: str, how: str) -> None:
        """A provider did not take a message: `refused`, `refused for now`, `blocked`, `unknown`, or its connector
        `raised`."""


def tally_of(tx: Connection) -> Tally:
    """The tally of an open write transaction."""
    found: Tally = tx.get_execution_options()["tally"]
    return found
