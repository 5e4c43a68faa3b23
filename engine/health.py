"""Is it well, and is it ready? What a service manager or a balancer asks of a running process.

The two differ in what follows: who is not well is started anew, who is not ready gets nothing to do until it is. So a
database that is away makes a process unready, and not unwell: starting it anew would mend nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tactful.engine.clock import Clock
from tactful.engine.compose import Engine
from tactful.engine.pulse import Pulse
from tactful.engine.store.database import StoreError, WrongSchema
from tactful.engine.switches import halted_since

if TYPE_CHECKING:
    from tactful.engine.metrics import Metrics

READY_SECONDS = 60.0
"""How long ago the work may have gone on: it does at least every half a minute. A write that failed counts for as long,
or until another succeeds: then it is given something to do again, and may fail again."""

STUCK_SECONDS = 300.0
"""After so long without a try it hangs. A try itself may wait a minute for a database that another program locks."""


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the process works. `why` says what is wrong."""

    ok: bool
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the process can do what it is for. `halted`: somebody stopped all sending, which is no fault."""

    ok: bool
    database: bool
    schema: bool
    working: bool
    writing: bool
    halted: bool
    why: str | None = None


def health(clock: Clock, pulse: Pulse | None = None) -> Health:
    """Whether the process should be let live. Without a pulse (it only answers requests), answering is proof."""
    quiet = None if pulse is None or pulse.tried_at is None else clock.monotonic() - pulse.tried_at
    if quiet is not None and quiet > STUCK_SECONDS:
        return Health(False, f"nothing was tried for {quiet:.0f} seconds")
    return Health(True)


def ready(engine: Engine, clock: Clock, pulse: Pulse | None = None, metrics: Metrics | None = None) -> Readiness:
    """Whether the database answers, has the newest schema and lets this process write, and the work went on within the
    last minute. What was written is known from `metrics`."""
    working = pulse is None or (
        pulse.worked_at is not None and clock.monotonic() - pulse.worked_at <= READY_SECONDS
    )  # fmt: skip
    trouble = None if metrics is None else metrics.cannot_write(READY_SECONDS)
    try:
        engine.store.keep_to_schema()
        with engine.store.read() as tx:
            halted = halted_since(tx) is not None
    except WrongSchema as error:
        return Readiness(False, True, False, working, False, False, str(error))
    except StoreError as error:
        return Readiness(False, False, False, working, False, False, str(error))
    why = trouble if working else "the timers were not looked after for a minute"
    return Readiness(why is None, True, True, working, trouble is None, halted, why)
