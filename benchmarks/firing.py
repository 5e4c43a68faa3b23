"""A process of its own that opens a database and fires what is due in it: `python -m benchmarks.firing URL NOW MOST`.

It says, as one line of JSON, when it was ready, what it fired and what that took.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic, process_time

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Fired:
    """What came of it. `ready_at` is on the machine's monotonic clock; seconds are of processor time, without the
    server's; `memory` is the resident bytes, sampled after each batch."""

    ready_at: float
    fired: int
    seconds: float
    wall: float
    memory: list[int]


def fire(url: str, now: int, most: int) -> Fired:
    """Fire up to `most` contacts' timers that are due, here."""
    import gc

    import psutil

    from tactful.engine.clock import SystemClock
    from tactful.engine.compose import open_engine
    from tactful.engine.host import BATCH
    from tactful.engine.runner import Runner

    process = psutil.Process()
    engine = open_engine(url)
    Runner(engine, SystemClock()).next_due()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)  # as the daemon has it
    ready_at, fired, memory = monotonic(), 0, [process.memory_info().rss]
    began = process_time()
    while fired < most and (some := engine.host.tick(now, min(BATCH, most - fired))):
        fired += some
        memory.append(process.memory_info().rss)
    seconds = process_time() - began
    wall = monotonic() - ready_at
    engine.close()
    return Fired(ready_at, fired, seconds, wall, memory)


def fire_elsewhere(url: str, now: int, most: int) -> Fired:
    """The same in a new process."""
    command = [sys.executable, "-m", "benchmarks.firing", url, str(now), str(most)]
    return Fired(**json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout))


if __name__ == "__main__":
    print(json.dumps(asdict(fire(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
