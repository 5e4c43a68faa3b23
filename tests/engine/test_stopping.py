"""`tactful serve` stops when it is asked to, whatever it waits for."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.conftest import wait_until
from tests.engine.relay import relay_to
from tests.engine.test_kill import Mailbox, Project, mailbox

if TYPE_CHECKING:
    from tests.conftest import Server

__all__ = ["mailbox"]  # the fixture

SERVE = "from tactful.engine.cli import main; main()"
IMPATIENT = f"from tactful.engine import daemon; daemon.STOP_SECONDS = 1.0; {SERVE}"


class Served:
    """`tactful serve` as a process of its own, once it runs."""

    def __init__(self, folder: Path, program: str) -> None:
        command = [sys.executable, "-c", program, "serve", "--project", str(folder)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        said = iter(self.process.stderr)
        assert any(json.loads(line)["event"] == "running" for line in said), "it ended at once"

    def end(self, by: signal.Signals) -> tuple[int, list[dict[str, Any]]]:
        """Send it a signal; its exit code, and what it said after that."""
        self.process.send_signal(by)
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, [json.loads(line) for line in said.splitlines()]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start it on a database, in a project without flows."""
    started: list[Served] = []

    def start(url: str, program: str = SERVE) -> Served:
        (tmp_path / "tactful.yaml").write_text(f"database: {url}\nsenders: {{}}\n", encoding="utf-8")
        started.append(Served(tmp_path, program))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.process.communicate()


def test_one_whose_database_does_not_answer_ends_all_the_same(postgresql: Server, serve: Callable[..., Served]) -> None:
    with relay_to(postgresql.new_database()) as relay:
        served = serve(relay.url, IMPATIENT)
        relay.fall_silent()
        code, said = served.end(signal.SIGTERM)
    assert code == 1
    assert said[-1]["event"] == "it did not stop in time, so this process ends as if it was killed"
    assert said[-1]["seconds"] == 1.0


NOHUP = pytest.mark.skipif(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN, reason="these tests run with nohup")


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT, pytest.param(signal.SIGHUP, marks=NOHUP)])
def test_asked_to_stop_it_has_nothing_in_hand_any_more(
    tmp_path: Path, mailbox: tuple[Mailbox, int], by: signal.Signals
) -> None:
    box, port = mailbox
    project = Project(tmp_path, port, "at_most_once")
    project.begin(150)
    with closing(project.engine):
        daemon = project.daemon()
        wait_until(lambda: len(box.taken) > 0)
        daemon.send_signal(by)
        _, said = daemon.communicate(timeout=60)
        assert daemon.returncode == 0, said
        assert '"stopped"' in said.splitlines()[-1]
        states = Counter(state for _, state, _ in project.messages())
        assert states["sent"] == len(box.taken)
        assert states.keys() <= {"sent", "queued"}


def test_one_that_a_closed_terminal_does_not_matter_to_goes_on() -> None:
    program = """
import signal
from tactful.engine.daemon import stop_on_signals
signal.signal(signal.SIGHUP, signal.SIG_IGN)
stop_on_signals(lambda: print("stops"))
for each in (signal.SIGHUP, signal.SIGTERM):
    print(each.name)
    signal.raise_signal(each)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["SIGHUP", "SIGTERM", "stops"]
