"""What holds for all commands: help, exit codes, errors without tracebacks, speed."""

import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.main import get_command

from tactful.engine.cli import COMMANDS, app
from tactful.engine.cli.frame import PANELS
from tactful.engine.cli.trouble import STOPPED, end
from tactful.engine.store.sqlite import SqliteStore as Store

TACTFUL = Path(sys.executable).with_name("tactful")


def commands():
    """Every command as it is called, those of groups too."""
    for word, command in vars(get_command(app))["commands"].items():
        inner = vars(command).get("commands")
        yield from [(word,)] if inner is None else ((word, each) for each in inner)


def names():
    """The words after `tactful`."""
    return list(vars(get_command(app))["commands"])


def test_help_groups_the_commands_in_panels(tactful):
    said = tactful("--help").out
    assert [line.rstrip(":") for line in said.splitlines() if line.rstrip(":") in PANELS] == list(PANELS)
    assert sum(len(commands) for _, commands in COMMANDS) == len(names())
    for name in names():
        assert re.search(rf"^  {name} ", said, re.MULTILINE), name
    assert "..." not in said.split("Start here")[1], "each command's first sentence fits 80 columns"


@pytest.mark.parametrize("group", sorted({command[0] for command in commands() if len(command) > 1}))
def test_help_of_a_group_lists_its_commands_each_in_a_whole_sentence(tactful, group):
    listed = tactful(group, "--help").out.split("\nCommands:\n")[1]
    assert len(listed.splitlines()) == sum(command[0] == group for command in commands())
    assert "..." not in listed


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_every_command_explains_itself_with_an_example(tactful, command):
    said = tactful(*command, "--help").out
    assert f"tactful {' '.join(command)}" in said.split("Example:")[1]
    assert not re.search(r"\[\[|\.\.\.\W+\.\.\.", said.splitlines()[0]), "what is optional or several is marked once"
    if "--json" in said.split("Options:")[1]:
        assert "With --json:" in said, "the shape of the JSON stands in the help"


def test_version(tactful):
    assert tactful("--version").out == f"tactful {version('tactful')}\n"


def cpu_of(*command, cwd=None):
    """The CPU seconds of a child, its own and the system's; the best of three."""
    taken = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([TACTFUL, *command], check=True, capture_output=True, cwd=cwd)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(taken)


def test_help_answers_at_once():
    assert cpu_of("--help") < 0.3


def test_help_imports_nothing_heavy():
    asked = "import sys; from tactful.engine.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    asked += "print(*sys.modules, file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True)
    heavy = {"sqlalchemy", "sqlmodel", "pydantic", "networkx", "liquid", "rich", "yaml", "structlog", "alembic"}
    heavy |= {"fastapi", "uvicorn", "httpx", "limits"}
    assert heavy.isdisjoint(ran.stderr.split())


@pytest.mark.full
def test_check_of_a_thousand_elements_takes_less_than_a_second(empty):
    lines = ["flow: long", "elements:"]
    for number in range(1000):
        following = f"e{number + 1}" if number < 999 else "end"
        lines.append(f"  e{number}: {{type: pause, for: 1 hour, next: {following}}}")
    (empty / "long.yaml").write_text("\n".join(lines), encoding="utf-8")
    assert cpu_of("check", "long.yaml", cwd=empty) < 1


# --- Errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chek"], "No such command 'chek'"),
        (["check", "--nosuch"], "No such option"),
        (["journey", "many"], "valid integer"),
        (["dnc", "remove", "a@example.com"], "--reason"),
        (["status"], "there is no tactful.yaml here"),
        (["check"], "there is no tactful.yaml here"),
        (["status", "--project", "nowhere"], "there is no file nowhere"),
        (["check", "nowhere.yaml"], "there is no file or folder nowhere.yaml"),
        (["publish"], "name the flows"),
        (["enter", "x"], "say who"),
        (["event", "x"], "say whom"),
        (["leave", "x"], "say who"),
        (["elements", "send_emial"], "did you mean `send_email`?"),
        (["draw", "nowhere.yaml"], "there is no file nowhere.yaml"),
        (["draw", "x", "-o", "x.gif"], "cannot be drawn"),
        (["import", "contacts", "nobody.csv"], "there is no file nobody.csv"),
    ],
)
def test_wrong_use_is_exit_code_2(tactful, empty, arguments, said):
    assert said in tactful(*arguments, code=2).err


def test_the_project_is_found_upwards_or_by_name(tactful, shop, monkeypatch):
    monkeypatch.chdir(shop / "flows" / "win-back")
    assert "win-back" in tactful("status").out
    monkeypatch.chdir("/")
    assert "win-back" in tactful("status", "--project", shop).out
    assert "win-back" in tactful("status", "-p", shop / "tactful.yaml").out
    monkeypatch.setenv("TACTFUL_PROJECT", str(shop))
    assert "win-back" in tactful("status").out


def test_a_broken_project_names_its_mistakes(tactful, shop):
    (shop / "tactful.yaml").write_text("databse: x\n", encoding="utf-8")
    ran = tactful("status", code=1)
    assert "tactful.yaml:1:1: error:" in ran.err
    assert "tactful.yaml has mistakes" in ran.err
    assert ran.out == ""


READERS = [
    ["journeys"], ["journey", "1"], ["messages"], ["settle", "1.1", "sent"], ["dnc", "list"], ["pause", "win-back"],
    ["dnc", "explain", "a@example.com"], ["enter", "win-back", "--contact", "ana"], ["resume", "win-back"],
    ["event", "purchased", "--contact", "ana"], ["leave", "win-back", "--contact", "ana"], ["resume-sending"],
    ["preview", "win-back", "offer", "--contact", "ana"], ["stop", "win-back", "--let-finish"],
]  # fmt: skip


@pytest.mark.parametrize("arguments", READERS, ids=" ".join)
def test_without_a_database_there_is_a_way_on_and_none_is_made(tactful, shop, arguments):
    ran = tactful(*arguments, code=1)
    assert "there is no database tactful.db yet" in ran.err
    assert not (shop / "tactful.db").exists()


def test_a_database_that_is_none(tactful, shop):
    (shop / "tactful.db").write_text("not a database at all, but text " * 100, encoding="utf-8")
    assert "is not a SQLite database" in tactful("journeys", code=1).err


def test_a_database_that_is_a_folder(tactful, shop):
    (shop / "tactful.db").mkdir()
    assert "is a folder" in tactful("journeys", code=1).err


def test_a_locked_database(tactful, open_shop, monkeypatch):
    monkeypatch.setitem(Store.__init__.__kwdefaults__, "busy_ms", 50)
    other = sqlite3.connect(open_shop / "tactful.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        assert "is in use by another program" in tactful("halt", code=1).err
    finally:
        other.close()


def test_a_variable_that_is_not_set(tactful, shop, monkeypatch):
    monkeypatch.delenv("SHOP_DATABASE", raising=False)
    text = (shop / "tactful.yaml").read_text(encoding="utf-8")
    (shop / "tactful.yaml").write_text(text.replace("sqlite:///tactful.db", "{env: SHOP_DATABASE}"), encoding="utf-8")
    assert "SHOP_DATABASE" in tactful("journeys", code=1).err


def test_a_database_server_that_is_not_there(tactful, shop):
    text = (shop / "tactful.yaml").read_text(encoding="utf-8")
    text = text.replace("sqlite:///tactful.db", "postgresql+psycopg://somewhere/shop")
    (shop / "tactful.yaml").write_text(text, encoding="utf-8")
    said = tactful("journeys", code=1).err
    assert "cannot be reached" in said
    assert "postgresql+psycopg://somewhere/shop" in said


def test_a_reader_that_goes_away_is_no_error(empty):
    ran = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {TACTFUL} schema | head -1"], capture_output=True, text=True, check=False
    )
    assert ran.stdout == "{\n"
    assert ran.stderr == ""


def test_ctrl_c_ends_in_a_word(empty):
    child = subprocess.Popen(
        [TACTFUL, "demo", "--contacts", "100000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(3)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=20)
    assert child.returncode == 130
    assert out == ""
    assert err.strip() == STOPPED


def test_a_fault_of_ours_is_said_without_a_traceback(capsys):
    assert end(TypeError("nothing is no thing")) == 1
    said = capsys.readouterr().err
    assert "tactful has a fault of its own: TypeError: nothing is no thing" in said
    assert "Traceback" not in said


def test_a_full_disk_is_no_fault_of_ours(capsys):
    assert end(OSError(28, "No space left on device", "flow.svg")) == 1
    assert capsys.readouterr().err == "error: flow.svg: no space left on device\n"
