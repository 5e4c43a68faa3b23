"""The alarm and the daemon, with real threads, a real file database and real time."""

from __future__ import annotations

import email
import email.policy
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
import structlog
from sqlalchemy import select
from tests.engine.conftest import wait_until

from tactful.elements import catalogue
from tactful.engine.alarm import REST_MS, Alarm
from tactful.engine.clock import SystemClock
from tactful.engine.compose import Engine, open_engine
from tactful.engine.contacts import put_contacts
from tactful.engine.contacts_file import ContactFields
from tactful.engine.daemon import AlreadyRunning, Daemon
from tactful.engine.incoming import Incoming
from tactful.engine.optout.webhooks import Webhooks
from tactful.engine.project import Project, load_project
from tactful.engine.store.statements import JOURNEY
from tactful.flows.load import load_file, load_sources

CLOCK = SystemClock()
FLOW = """
flow: note
entry: {event: began, again: always}
settings: {sender: {email: news@acme.example}}
elements:
  mail: {type: send_email, subject: Hello, text: First, next: rest}
  rest: {type: pause, for: 1 second, next: last}
  last: {type: send_email, subject: Bye, text: Last}
"""


# --- the alarm


def fail(error: Exception) -> None:
    raise AssertionError("the work failed") from error


class Work:
    """Work that begins, and goes on to its end when it may: when each run began."""

    def __init__(self) -> None:
        self.runs: list[int] = []
        self.began, self.may_end = threading.Event(), threading.Event()

    def __call__(self) -> int | None:
        self.runs.append(CLOCK.now())
        self.began.set()
        self.may_end.wait(10)
        return None


@contextmanager
def alarm_of(work: Callable[[], int | None], failed: Callable[[Exception], None]) -> Iterator[Alarm]:
    alarm = Alarm(work, CLOCK, failed)
    alarm.start()
    try:
        yield alarm
    finally:
        alarm.stop()


def test_the_alarm_works_at_once_and_again_when_the_next_thing_is_due() -> None:
    runs: list[int] = []

    def work() -> int | None:
        runs.append(CLOCK.now())
        return CLOCK.now() + 100 if len(runs) < 5 else None

    with alarm_of(work, fail):
        wait_until(lambda: len(runs) == 5)
    gaps = [later - earlier for earlier, later in pairwise(runs)]
    assert all(gap >= 100 for gap in gaps), "never early"


def test_the_alarm_woken_at_work_does_another_round() -> None:
    work = Work()
    with alarm_of(work, fail) as alarm:
        assert work.began.wait(10)
        alarm.wake()
        work.may_end.set()
        wait_until(lambda: len(work.runs) >= 2)


def test_the_alarm_woken_often_at_work_does_one_more_run_and_nobody_warns(caplog: pytest.LogCaptureFixture) -> None:
    work = Work()
    with alarm_of(work, fail) as alarm:
        assert work.began.wait(10)
        for _ in range(50):
            alarm.wake()
        work.may_end.set()
        wait_until(lambda: len(work.runs) == 2)
        alarm.wake()
        wait_until(lambda: len(work.runs) >= 3)
    assert len(work.runs) == 3
    assert [record.getMessage() for record in caplog.records] == []


def test_the_alarm_rests_between_runs_however_often_it_is_woken() -> None:
    began: list[int] = []
    ended: list[int] = []

    def work() -> int | None:
        began.append(CLOCK.now())
        if len(began) == 10:
            return None
        alarm.wake()
        ended.append(CLOCK.now())
        return began[-1]  # and there is always something due

    alarm = Alarm(work, CLOCK, fail)
    alarm.start()
    wait_until(lambda: len(began) == 10)
    alarm.stop()
    assert min(later - earlier for earlier, later in zip(ended, began[1:], strict=False)) >= REST_MS


def test_work_that_fails_is_told_and_the_alarm_goes_on() -> None:
    told: list[Exception] = []
    runs: list[int] = []

    def work() -> int | None:
        runs.append(CLOCK.now())
        if len(runs) == 1:
            raise RuntimeError("the disk is full")
        return None

    with alarm_of(work, told.append) as alarm:
        wait_until(lambda: bool(told))
        alarm.wake()
        wait_until(lambda: len(runs) == 2)
    assert str(told[0]) == "the disk is full"


# --- the daemon


class Running:
    """A project in a folder, its daemon in a thread, and the engine as another process would have it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.flow_file = folder / "flows" / "note.yaml"
        self.flow_file.parent.mkdir()
        self.flow_file.write_text(FLOW)
        (folder / "tactful.yaml").write_text(
            'senders: {"news@acme.example": {channel: email, via: console, folder: out}}\n'
        )
        project, problems = load_project(folder / "tactful.yaml")
        assert project is not None, [problem.render() for problem in problems]
        self.project: Project = project
        self.engine: Engine = open_engine(project.database_url())
        flow = load_file(self.flow_file, catalogue(), project.surroundings()).flow
        assert flow is not None
        self.engine.lifecycle.publish(flow, CLOCK.now())
        put_contacts(self.engine.host, [ContactFields("ana", "ana@example.com")], CLOCK.now())

    def sent(self) -> int:
        return len(list((self.folder / "out").glob("*.eml"))) if (self.folder / "out").is_dir() else 0

    def begin(self) -> None:
        self.engine.host.tell([Incoming("began", "ana")], CLOCK.now())

    def journeys(self) -> list[str]:
        with self.engine.store.read() as tx:
            return [row.state for row in tx.execute(select(JOURNEY.c.state))]

    @contextmanager
    def daemon(self) -> Iterator[Daemon]:
        engine = open_engine(self.project.database_url())
        daemon = Daemon(self.project, engine, CLOCK)
        thread = threading.Thread(target=daemon.run)
        thread.start()
        try:
            yield daemon
        finally:
            daemon.stop()
            thread.join(20)
            engine.close()
            assert not thread.is_alive(), "asked to stop, it stops"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    yield running
    running.engine.close()


def test_what_another_process_commits_is_noticed_and_timers_fire(running: Running) -> None:
    with running.daemon():
        running.begin()
        wait_until(lambda: running.sent() == 2)
        wait_until(lambda: running.journeys() == ["done"])


def test_what_was_left_is_picked_up_on_the_next_start(running: Running) -> None:
    with running.daemon():
        running.begin()
        wait_until(lambda: running.sent() == 1)
    assert running.journeys() == ["active"]
    with running.daemon():
        wait_until(lambda: running.journeys() == ["done"])
    assert running.sent() == 2


def test_a_second_daemon_on_one_database_is_refused(running: Running) -> None:
    with running.daemon():
        running.begin()
        wait_until(lambda: running.sent() >= 1)
        second = Daemon(running.project, running.engine, CLOCK)
        with pytest.raises(AlreadyRunning, match="stop it first"):
            second.run()


def test_a_daemon_of_which_a_part_does_not_start_ends(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """It hung half started, with threads that handed messages over, and no signal ended it."""

    def fails(_: Webhooks) -> None:
        raise OSError("no such part")

    monkeypatch.setattr(Webhooks, "start", fails)
    before = threading.active_count()
    with pytest.raises(OSError, match="no such part"):
        Daemon(running.project, running.engine, CLOCK).run()
    assert threading.active_count() == before


def test_a_file_that_breaks_keeps_its_last_good_version_and_says_so(running: Running) -> None:
    with structlog.testing.capture_logs() as logs, running.daemon():
        running.flow_file.write_text(FLOW.replace("for: 1 second", "for: Ana Tajna"))
        wait_until(lambda: any("broken" in entry["event"] for entry in logs))
        running.begin()
        wait_until(lambda: running.sent() == 2)
        (said,) = [entry["problem"] for entry in logs if "broken" in entry["event"]]
        assert said.endswith("note.yaml:7:28 [bad-duration]")
        assert "Tajna" not in str(logs), "what somebody wrote is no affair of the log"

        running.flow_file.write_text(FLOW.replace("subject: Hello", "subject: Good morning"))
        wait_until(lambda: any("is live" in entry["event"] for entry in logs))
    running.begin()
    with running.engine.host.transaction():
        assert running.engine.host.flows.live.by_id["note"].version == 2


def test_a_file_that_was_changed_meanwhile_is_live_from_the_start(running: Running) -> None:
    running.flow_file.write_text(FLOW.replace("subject: Hello", "subject: Good morning"))
    with structlog.testing.capture_logs() as logs, running.daemon():
        wait_until(lambda: any("is live" in entry["event"] for entry in logs))
    (said,) = [entry for entry in logs if "is live" in entry["event"]]
    assert (said["version"], said["before"]) == (2, 1)


def test_a_daemon_with_an_older_file_takes_nothing_back_until_the_file_is_changed(running: Running) -> None:
    newer = FLOW.replace("subject: Hello", "subject: Good morning")
    flow = load_sources({"note.yaml": newer}, catalogue()).flow
    assert flow is not None
    running.engine.lifecycle.publish(flow, CLOCK.now())

    def live() -> int:
        with running.engine.host.transaction():
            return running.engine.host.flows.live.by_id["note"].version

    with structlog.testing.capture_logs() as logs, running.daemon():
        wait_until(lambda: any("was replaced" in entry["event"] for entry in logs))
        (said,) = [entry for entry in logs if entry["log_level"] == "warning"]
        assert (said["flow"], said["version"], said["file_has"]) == ("note", 2, 1)
        assert live() == 2
        running.flow_file.write_text(newer.replace("text: Last", "text: The last"))
        wait_until(lambda: live() == 3)
        running.flow_file.write_text(FLOW)  # while it runs, whoever saves a file means it
        wait_until(lambda: live() == 1)


class JumpingClock(SystemClock):
    """The machine's clock, which somebody sets."""

    def __init__(self) -> None:
        self.off = 0

    def now(self) -> int:
        return super().now() + self.off


def test_a_clock_set_back_two_hours_keeps_the_daemon_awake(running: Running) -> None:
    clock = JumpingClock()
    engine = open_engine(running.project.database_url())
    daemon = Daemon(running.project, engine, clock)
    thread = threading.Thread(target=daemon.run)
    with structlog.testing.capture_logs() as logs:
        thread.start()
        try:
            wait_until(lambda: any(entry["event"] == "running" for entry in logs))
            clock.off = -7_200_000
            wait_until(lambda: any("clock was set" in entry["event"] for entry in logs))
            running.engine.host.tell([Incoming("began", "ana")], clock.now())
            wait_until(lambda: running.journeys() == ["done"])
        finally:
            daemon.stop()
            thread.join(20)
            engine.close()
    assert running.sent() == 2


def test_the_daemon_tracks_for_senders_that_ask_for_it(running: Running) -> None:
    project = running.folder / "tactful.yaml"
    project.write_text(
        project.read_text().replace("folder: out", "folder: out, track: [opened, clicked]")
        + "opt_out: {base_url: https://go.acme.example}\n"
    )
    loaded, problems = load_project(project)
    assert loaded is not None, [problem.render() for problem in problems]
    running.project = loaded
    running.flow_file.write_text(FLOW.replace("text: First", """html: '<a href="https://acme.example">tea</a>'"""))
    flow = load_file(running.flow_file, catalogue(), loaded.surroundings()).flow
    assert flow is not None
    running.engine.lifecycle.publish(flow, CLOCK.now())
    with running.daemon():
        running.begin()
        wait_until(lambda: running.sent() == 2)
    first, second = (email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
                     for file in sorted((running.folder / "out").glob("*.eml")))  # fmt: skip
    html = first.get_body(("html",))
    assert html is not None
    assert "https://go.acme.example/c/1.1.1." in html.get_content()
    assert "https://go.acme.example/v/1.1." in html.get_content()
    plain = second.get_body(("plain",))
    assert plain is not None
    assert "go.acme.example" not in plain.get_content(), "there is nothing to track in plain text"
