"""`tactful serve` on a project of the run's own, as a process of its own."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import clock_gettime, monotonic, sleep
from typing import TYPE_CHECKING

from benchmarks import journey

if TYPE_CHECKING:
    import psutil

KEYS = tuple(
    f"{name}-key-of-the-benchmark-0123456789" for name in ("shop", "app", "till", "crm", "web", "erp", "pos", "etl")
)
"""API keys that may tell events: a caller each, for how often one may ask in a minute is limited."""

PROJECT = """database: {url}
flows: flows/
senders:
"""
HTTP = "http:\n  keys:\n" + "".join(
    f"    - {{name: caller-{number}, key: {{env: BENCH_KEY_{number}}}, scopes: [events]}}\n"
    for number in range(len(KEYS))
)
TACTFUL = "import sys; from tactful.engine.cli import main; main(sys.argv[1:])"
ADDRESS = re.compile(r'"address": "http://([^":]+):(\d+)"')


@dataclass(frozen=True, slots=True)
class Served:
    """It runs: `address` is where its API listens, None where it has none."""

    process: psutil.Process
    address: tuple[str, int] | None

    def spent(self) -> float:
        """Seconds of processor time it has used so far."""
        if platform.system() == "Linux":  # to the nanosecond, not to the hundredth of a second: clock_getcpuclockid(3)
            return clock_gettime(~self.process.pid << 3 | 2)
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def served(url: str, *options: str, http: bool = False, senders: Sequence[str] = (journey.SENDER,)) -> Iterator[Served]:
    """Run `tactful serve` on a database in which the standard journey is published, until the block ends. It must not
    end before. What it sends it prints."""
    import psutil

    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "flows").mkdir()
        channels = "".join(f'  "{each}": {{channel: email, via: console}}\n' for each in senders)
        project = PROJECT.format(url=url) + channels + (HTTP if http else "")
        (folder / "tactful.yaml").write_text(project, encoding="utf-8")
        (folder / "flows" / "flow.yaml").write_text(journey.FLOW, encoding="utf-8")
        log = folder / "log"
        options = (*options, "--port", "0") if http else options
        with log.open("w+b") as said:
            daemon = subprocess.Popen(
                [sys.executable, "-c", TACTFUL, "serve", *options, "--project", name],
                env={**os.environ, **{f"BENCH_KEY_{number}": key for number, key in enumerate(KEYS)}},
                stderr=said, stdout=said,
            )  # fmt: skip
            try:
                _until(daemon, log, '"listening"' if http else '"running"')
                found = ADDRESS.search(log.read_text(encoding="utf-8"))
                yield Served(psutil.Process(daemon.pid), (found[1], int(found[2])) if found else None)
                assert daemon.poll() is None, log.read_text(encoding="utf-8")
            finally:
                daemon.terminate()
                daemon.wait(30)


def _until(daemon: subprocess.Popen[bytes], log: Path, word: str) -> None:
    patience = monotonic() + 30
    while word not in log.read_text(encoding="utf-8"):
        assert daemon.poll() is None, log.read_text(encoding="utf-8")
        assert monotonic() < patience, log.read_text(encoding="utf-8")
        sleep(0.05)
