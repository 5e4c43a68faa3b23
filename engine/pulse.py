"""When the work of this process last went on: by it others see whether it still does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Pulse:
    """Seconds of the monotonic clock; None before the first time. `tried_at` is when the work last began or went on to
    its next piece, `worked_at` when a piece last came to its end without an error."""

    tried_at: float | None = None
    worked_at: float | None = None
