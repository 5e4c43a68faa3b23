"""The only file that asks what time it is. Everything else is told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tactful.elements.contract import Instant


class Clock(Protocol):
    """Tells the time to the outermost layer, which hands it on as an argument."""

    def now(self) -> Instant:
        """The instant it is. May step back when somebody sets the machine's clock."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed point, never going back: for measuring how long something took."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> Instant:
        return (time.time_ns() + 500_000) // 1_000_000  # to the nearest; a frozen time may fall short by some ns

    def monotonic(self) -> float:
        return time.monotonic()


class SetClock:
    """A clock that stands still until it is moved: virtual time."""

    def __init__(self, now: Instant) -> None:
        self._now = now
        self._monotonic_ms = 0

    def now(self) -> Instant:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic_ms / 1_000

    def advance(self, ms: int) -> Instant:
        """Let so many milliseconds pass; returns the new time. Raises ValueError for a negative number."""
        if ms < 0:
            raise ValueError(f"time cannot pass by {ms} ms")
        self._now += ms
        self._monotonic_ms += ms
        return self._now

    def set(self, now: Instant) -> Instant:
        """Set the time, forward or, as a machine's clock may be, back; `monotonic` only follows forward."""
        self._monotonic_ms += max(0, now - self._now)
        self._now = now
        return now
