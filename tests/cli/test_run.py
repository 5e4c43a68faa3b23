"""`publish`, `pause`, `resume`, `stop`, `serve`, `halt`, `resume-sending`."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import update

from tactful.engine.flowbook import FLOW_VERSION, Flowbook

TACTFUL = Path(sys.executable).with_name("tactful")


def state_of(tactful, flow="win-back"):
    return next(each for each in tactful("status", "--json").json["flows"] if each["flow"] == flow)["state"]


# --- publish -------------------------------------------------------------------------------------


def test_publish_makes_a_flow_live(tactful, shop):
    ran = tactful("publish", "win-back")
    assert ran.out == "win-back is live (version 1)\n"
    assert "once `tactful serve` runs" in ran.err
    assert "unchanged" in tactful("publish", "flows/win-back/flow.yaml").out
    assert tactful("publish", "--all", "--json").json == [{"flow": "win-back", "version": 1, "changed": False}]


def test_publish_brings_a_changed_flow_up_to_date(tactful, open_shop):
    file = open_shop / "flows" / "win-back" / "flow.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("48 hours", "36 hours"), encoding="utf-8")
    assert tactful("status", "--json").json["files"] == [{"flow": "win-back", "state": "changed"}]
    assert "(version 2)" in tactful("publish", "--all").out
    assert tactful("status", "--json").json["files"] == []


def test_publish_and_serve_name_flows_that_are_live_and_in_no_file(tactful, open_shop):
    assert "no file of this project" not in tactful("publish", "--all").err
    other = "flow: other\nentry: {event: x}\nelements:\n  rest: {type: pause, for: 1 day}\n"
    (open_shop / "flows" / "win-back" / "flow.yaml").unlink()
    (open_shop / "flows" / "other.yaml").write_text(other, encoding="utf-8")
    assert "no file of this project has win-back, published here as well" in tactful("publish", "--all").err
    with serving(open_shop) as daemon:
        (said,) = [each for each in until(daemon, "running") if each["level"] == "warning"]
    assert said["flows"] == ["win-back"]
    tactful("stop", "win-back", "--let-finish")
    assert "no file of this project" not in tactful("publish", "--all").err


def test_publish_is_all_or_nothing(tactful, shop):
    (shop / "flows" / "broken.yaml").write_text("flow: broken\n", encoding="utf-8")
    ran = tactful("publish", "--all", code=1)
    assert "flows/broken.yaml:1:1: error:" in ran.err
    assert "nothing was published" in ran.err
    assert not (shop / "tactful.db").exists()
    assert "win-back is live" in tactful("publish", "win-back").out


def test_publish_of_bad_names(tactful, shop):
    assert "did you mean `win-back`?" in tactful("publish", "winback", code=2).err
    assert "either name flows or say --all" in tactful("publish", "win-back", "--all", code=2).err


def bring_a_secret(shop):
    with (shop / "tactful.yaml").open("a", encoding="utf-8") as file:
        file.write("\nsecret: {env: TACTFUL_SECRET}\n")


def test_nothing_begins_with_a_secret_that_is_soon_guessed(tactful, shop, monkeypatch):
    bring_a_secret(shop)
    monkeypatch.setenv("TACTFUL_SECRET", "change-me")
    ran = tactful("publish", "--all", code=1)
    assert "the project's secret has fewer than 24 characters" in ran.err
    assert "token_urlsafe" in ran.err
    tactful("publish", "--all", code=1)
    monkeypatch.setenv("TACTFUL_SECRET", "n0b0dy-gu3ss3s-th1s-0ne-")
    assert "win-back is live" in tactful("publish", "--all").out


def test_a_project_that_works_goes_on_with_the_secret_it_has(tactful, open_shop, monkeypatch):
    bring_a_secret(open_shop)
    monkeypatch.setenv("TACTFUL_SECRET", "change-me")
    assert "[short-secret]" in tactful("check").out
    assert tactful("status", "--json").json["flows"]


# --- pause, resume, stop -------------------------------------------------------------------------


def test_pause_and_resume(tactful, open_shop):
    tactful("event", "basket_abandoned", "--contact", "ana", "--data", '{"value": 35}')
    assert "is paused; 1 contact inside" in tactful("pause", "win-back").out
    assert state_of(tactful) == "paused"
    assert "is not open for entries" in tactful("enter", "win-back", "--contact", "ben", code=1).out
    assert "win-back is paused; only one that is" in tactful("pause", "win-back", code=1).err
    assert "stands still" in tactful("journeys").out
    assert "its flow is paused" in tactful("journey", "1").out
    assert "is live again" in tactful("resume", "flows/win-back/flow.yaml").out
    assert state_of(tactful) == "live"
    assert "win-back is live; only one that is paused" in tactful("resume", "win-back", code=1).err


def test_stop_wants_to_know_what_becomes_of_those_inside(tactful, open_shop):
    assert "--let-finish, or --take-out" in tactful("stop", "win-back", code=2).err
    tactful("stop", "win-back", "--let-finish", "--take-out", code=2)
    assert state_of(tactful) == "live"


def test_stop_and_let_finish(tactful, open_shop):
    tactful("enter", "win-back", "--contact", "ana")
    assert "1 contact still inside" in tactful("stop", "win-back", "--let-finish").out
    assert state_of(tactful) == "finishing"


def test_stop_and_take_out(tactful, open_shop):
    tactful("enter", "win-back", "--all", "--yes")
    ran = tactful("stop", "win-back", "--take-out", code=2)
    assert "say --yes" in ran.err
    assert state_of(tactful) == "live"
    assert "8 contacts taken out" in tactful("stop", "win-back", "--take-out", "--yes").out
    assert state_of(tactful) == "stopped"
    assert {each["state"] for each in tactful("messages", "--json").json} == {"withdrawn"}
    assert "is live (version 1)" in tactful("publish", "win-back").out


def test_take_out_of_one_that_is_finishing(tactful, open_shop):
    tactful("enter", "win-back", "--contact", "ana")
    tactful("stop", "win-back", "--let-finish")
    assert "1 contact taken out" in tactful("stop", "win-back", "--take-out", "--yes").out
    assert state_of(tactful) == "stopped"


@pytest.mark.parametrize("command", [("pause",), ("resume",), ("stop", "--let-finish")], ids=" ".join)
def test_a_flow_that_is_not_published(tactful, open_shop, command):
    assert "did you mean `win-back`?" in tactful(*command, "winback", code=1).err


# --- halt ----------------------------------------------------------------------------------------


def test_halt_and_go_on(tactful, open_shop):
    assert tactful("halt", "--why", "wrong price", "--json").json["already"] is False
    again = tactful("halt", "--why", "another", "--json").json
    assert (again["already"], again["why"]) == (True, "wrong price")
    assert "wrong price" in tactful("halt").out
    assert "All sending is stopped" in tactful("status").out
    assert tactful("status", "--json").json["halted"]["why"] == "wrong price"
    assert tactful("resume-sending").out == "Sending goes on.\n"
    assert tactful("resume-sending", "--json").json == {"halted": False, "was_halted": False}


# --- a database of an older version --------------------------------------------------------------


@pytest.fixture
def older(open_shop):
    """The open shop as an older version left it: the schema in its database."""

    def schema():
        with closing(sqlite3.connect(open_shop / "tactful.db")) as connection:
            return connection.execute("select version_num from alembic_version").fetchone()[0]

    with closing(sqlite3.connect(open_shop / "tactful.db")) as connection, connection:
        connection.execute("update alembic_version set version_num = '0005'")
    return schema


@pytest.mark.parametrize(
    "command",
    ["status", "journeys", "messages", "dnc verify", "dnc explain a@b.example", "publish --all",
     "event x --contact ana", "import contacts contacts.csv"],
)  # fmt: skip
def test_no_command_changes_the_schema_in_passing(tactful, older, command):
    said = tactful(*command.split(), code=1).err
    assert "has the schema of an older tactful (0005; this one knows" in said
    assert "`tactful serve` brings it up to date when it starts" in said
    assert older() == "0005"


def test_the_brake_works_on_an_older_schema_too(tactful, older):
    assert tactful("halt", "--json").json["halted"] is True
    assert older() == "0005"
    tactful("migrate")
    assert tactful("status", "--json").json["halted"] is not None


def test_and_it_is_let_go_on_an_older_schema_too(tactful, older):
    tactful("halt")
    went_on = tactful("resume-sending")
    assert went_on.out == "Sending goes on.\n"
    assert "What waited goes out once `tactful serve` runs" in went_on.err
    assert tactful("resume-sending", "--json").json["was_halted"] is False
    assert older() == "0005"


@pytest.mark.parametrize(("command", "begins"), [("halt", True), ("resume-sending", False)])
def test_of_the_two_only_halt_begins_a_database(tactful, shop, command, begins):
    said = tactful(command, code=0 if begins else 1)
    assert ("there is no database tactful.db yet" in said.err) is not begins
    assert (shop / "tactful.db").exists() is begins


def test_migrate_brings_the_database_up_to_date(tactful, older):
    ran = tactful("migrate")
    assert "from schema 0005 to" in ran.err
    assert ran.out == "The database has the schema of this version.\n"
    assert older() != "0005"
    assert tactful("migrate", "--json").json == {"changed": False}
    assert tactful("status", "--json").json["contacts"] == 8


def test_a_database_that_the_project_left_takes_no_opt_out_and_says_where_it_went(tactful, open_shop):
    here = (open_shop / "tactful.yaml").read_text(encoding="utf-8")
    (open_shop / "tactful.yaml").write_text(here.replace("tactful.db", "new.db"), encoding="utf-8")
    assert "moved: " in tactful("migrate", "--from", "sqlite:///tactful.db").out
    assert tactful("status", "--json").json["sealed"] is None
    (open_shop / "tactful.yaml").write_text(here, encoding="utf-8")
    for command in (["dnc", "add", "ana@example.com", "--channel", "email"], ["halt"], ["migrate"]):
        assert "is not in use any more: on" in " ".join(tactful(*command, code=1).err.split())
    assert "The database is not in use any more" in tactful("status").out
    assert "new.db" in tactful("status", "--json").json["sealed"]
    assert tactful("migrate", "--reopen", "--json").json == {"reopened": True}
    assert tactful("migrate", "--reopen").out == "The database takes writes; it did before.\n"
    tactful("dnc", "add", "ana@example.com", "--channel", "email")


# --- serve ---------------------------------------------------------------------------------------


@pytest.fixture
def served(shop):
    """A daemon on the shop, running; it is ended with the test."""
    (shop / "tactful.yaml").write_text(
        (shop / "tactful.yaml").read_text(encoding="utf-8").replace("via: console", "via: console, folder: sent"),
        encoding="utf-8",
    )
    with serving(shop, "--publish") as daemon:
        yield daemon


@contextmanager
def serving(shop, *options):
    """A daemon on the shop."""
    daemon = subprocess.Popen(
        [TACTFUL, "serve", *options], cwd=shop, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield daemon
    finally:
        daemon.kill()
        daemon.communicate()


def until(daemon, event):
    """The daemon's log up to an event, as JSON."""
    lines = []
    for line in daemon.stderr:
        lines.append(json.loads(line))
        if lines[-1]["event"] == event:
            return lines
    raise AssertionError(f"the log ended without {event!r}: {lines}")


def test_serve_publishes_runs_and_stops_cleanly(tactful, served):
    log = until(served, "running")
    assert [each["event"] for each in log] == ["published", "running"]
    assert log[0]["flow"] == "win-back"
    assert all(each["level"] == "info" and each["at"].endswith("Z") for each in log)
    assert tactful("status", "--json").json["running"] is True
    assert "a daemon runs on" in tactful("serve", code=1).err
    assert "once `tactful serve` runs" not in tactful("publish", "--all").err
    served.send_signal(signal.SIGTERM)
    out, err = served.communicate(timeout=20)
    assert served.returncode == 0
    assert [json.loads(line)["event"] for line in err.splitlines()] == ["stopping", "stopped"]
    assert out == ""
    assert tactful("status", "--json").json["running"] is False


def test_serve_names_a_sender_the_project_forgot_and_what_holds_for_it(tactful, shop, served):
    until(served, "running")
    tactful("dnc", "add", "ana@example.com", "--channel", "email", "--sender", "old@acme.example")
    served.send_signal(signal.SIGTERM)
    served.communicate(timeout=20)
    with serving(shop) as again:
        (said,) = [each for each in until(again, "running") if each["level"] == "warning"]
    assert (said["sender"], said["entries"]) == ("old@acme.example", 1)
    assert "`tactful dnc import`" in said["hint"]


def test_serve_after_a_kill(tactful, served):
    until(served, "running")
    os.kill(served.pid, signal.SIGKILL)
    served.wait(timeout=20)
    assert tactful("status", "--json").json["running"] is False


def errors_of(ran):
    """What a daemon that did not begin says to whoever collects logs: one JSON object a line."""
    said = [json.loads(line) for line in ran.err.splitlines()]
    assert {each.pop("level") for each in said} == {"error"}
    assert all(each.pop("at").endswith("Z") for each in said)
    return said


def test_serve_with_a_broken_flow_does_not_begin(tactful, shop):
    broken = "flow: broken\nelements: {offer: {type: pause, for: Ana Tajna}}\n"
    (shop / "flows" / "broken.yaml").write_text(broken, encoding="utf-8")
    assert errors_of(tactful("serve", "--publish", code=1)) == [
        {"event": "a file has a mistake", "problem": "flows/broken.yaml:2:38 [bad-duration]", "hint": "tactful check"},
        {"event": "flows/broken.yaml: mistakes, so nothing was published", "hint": "mend what is named above"},
    ]
    assert not (shop / "tactful.db").exists()


def test_what_keeps_serve_from_beginning_stands_in_the_log(tactful, shop, monkeypatch):
    (shop / "tactful.yaml").rename(shop / "away.yaml")
    (said,) = errors_of(tactful("serve", code=2))
    assert said["event"] == "there is no tactful.yaml here or in a folder above"
    assert said["hint"].startswith("go to your project's folder")
    (shop / "away.yaml").rename(shop / "tactful.yaml")
    bring_a_secret(shop)
    (said,) = errors_of(tactful("serve", code=1))
    assert said["event"] == "the environment variable TACTFUL_SECRET, the project's secret, is not set"


def test_a_fault_of_ours_stands_in_the_log_without_what_it_quotes(tactful, open_shop, monkeypatch):
    def fails(*_):
        raise KeyError("ana@example.com")

    monkeypatch.setattr(Flowbook, "refresh", fails)
    ran = tactful("serve", code=1, faulty=True)
    (said,) = errors_of(ran)
    assert said["event"] == "tactful has a fault of its own"
    assert said["exception"].endswith("in fails\nbuiltins.KeyError")
    assert "ana@example.com" not in ran.err


def test_a_folder_of_flows_that_is_not_there_is_said_and_halts_nobody(tactful, shop):
    (shop / "flows").rename(shop / "flowz")
    assert "tactful.yaml:3:8: warning: there is no folder `flows`" in tactful("check").out
    assert "there are no flow files in" in tactful("publish", "--all", code=2).err
    assert tactful("halt", "--json").json["halted"] is True


def test_halt_works_whatever_is_wrong_with_a_flow(tactful, engine):
    with engine.store.write() as tx:
        tx.execute(update(FLOW_VERSION).values(sources='[["flow.yaml", "flow: gone"]]'))
    assert tactful("halt", "--json").json["halted"] is True
    assert tactful("resume-sending", "--json").json["was_halted"] is True
