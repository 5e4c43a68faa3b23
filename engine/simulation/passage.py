"""What a contact's life is made of: journeys, waiting messages, what happens; and who decides it, and who looks on."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from tactful.elements.contract import NOTHING, Event, Instant, Message, MessageKey
from tactful.engine.simulation.spot import NEVER, Sending, Spot

if TYPE_CHECKING:
    from tactful.engine.simulation.life import Life


class Passage:
    """A journey: as `interpreter.Journey`, but one that changes. `number` counts the contact's journeys from 1; `spot`
    is None once it ended."""

    __slots__ = ("arrived_at", "due_at", "entered_at", "entry", "messages", "moved_at", "moves", "number", "since",
                 "spot", "step", "values")  # fmt: skip

    def __init__(self, number: int, entry: Event, now: Instant, spot: Spot) -> None:
        self.number = number
        self.entry = entry
        self.entered_at = now
        self.since = entry.id
        self.spot: Spot | None = spot
        self.step = 1
        self.arrived_at = now
        self.due_at: Instant = NEVER
        self.values: Mapping[str, Any] = NOTHING
        self.messages: dict[str, Message] = {}
        self.moved_at = now
        self.moves = 0


class Waiting:
    """A message in the outbox."""

    __slots__ = ("due_at", "expires_at", "journey", "sending", "spot", "step")

    def __init__(self, journey: Passage, spot: Spot, sending: Sending, now: Instant, expires_at: Instant | None):
        self.journey = journey
        self.step = journey.step
        self.spot = spot
        self.sending = sending
        self.due_at = now
        self.expires_at = expires_at

    @property
    def key(self) -> MessageKey:
        """Names it among all messages of the contact."""
        return MessageKey(self.journey.number, self.step)


class Trace(Protocol):
    """Told of every single thing, where somebody wants to know."""

    def left(self, life: Life, journey: Passage, element: str, exit: str) -> None:
        """A journey leaves an element."""
        ...

    def became(self, life: Life, journey: Passage, element: str, step: int, state: str) -> None:
        """A message came to its end: sent, failed, suppressed, expired, withdrawn."""
        ...


class Conduct(Protocol):
    """What contacts do, and providers."""

    def answers(self, life: Life, message: Waiting) -> bool:
        """A message is handed over now: plan (`life.plan`) what the contact will do with it. False where the provider
        refuses it."""
        ...


class Act(Enum):
    """What may happen that is more than an event."""

    DO = "whatever a function does"
    OPT_OUT = "an opt-out by the link of a message"
    NO = "a message bounces, or is complained of"
    ENTER = "somebody brings the contact in"


DO, OPT_OUT, NO, ENTER = Act

Deed = tuple[str | Act, Any, Any]
"""What happens, its data, and the message it is about (None: an event of the contact's own).

A text is the name of an event. The data of `NO` says which; that of `DO` is a function, which is called with the life
and the third part."""
