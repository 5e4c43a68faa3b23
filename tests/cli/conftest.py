"""The command line on real projects in a folder of the test's own."""

import json
import logging
import shutil
from dataclasses import dataclass

import pytest
import structlog

from tactful.engine.channels import connect
from tactful.engine.cli import main
from tactful.engine.cli.opening import the_engine
from tactful.engine.cli.start import lay_out
from tactful.engine.clock import SystemClock
from tactful.engine.delivery import Lane
from tactful.engine.project import load_project
from tactful.engine.runner import Runner


@dataclass(frozen=True)
class Ran:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def _no_columns(monkeypatch):
    """What is no terminal has endless lines, unless the environment says otherwise; pytest's own workers do."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(autouse=True)
def _log_as_before():
    """`serve` sets where the log goes for its process; the next test's stderr is another."""
    root = logging.getLogger()
    before = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    root.handlers[:], level = before
    root.setLevel(level)


@pytest.fixture
def tactful(capsys):
    """Run the console entry: `tactful("check", "flow.yaml", code=1)`; the exit code must be as said (0 unless said)."""

    def run(*arguments, code=0, faulty=False):
        capsys.readouterr()
        structlog.reset_defaults()  # each command is a process of its own
        with pytest.raises(SystemExit) as left:
            main([str(each) for each in arguments])
        said = capsys.readouterr()
        ran = Ran(int(left.value.code or 0), said.out, said.err)
        assert ran.code == code, f"{arguments} left by {ran.code}\n{ran.out}\n{ran.err}"
        assert "Traceback" not in ran.err
        assert faulty or "a fault of its own" not in ran.err, ran.err
        return ran

    return run


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """An empty folder, and we are in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TACTFUL_PROJECT", raising=False)
    return tmp_path


@pytest.fixture(scope="session")
def laid_out(tmp_path_factory):
    """The starter project, as it is laid out, to be copied. Without quiet hours: tests run at all hours."""
    folder = tmp_path_factory.mktemp("starter")
    lay_out(folder)
    flow = folder / "flows" / "win-back" / "flow.yaml"
    lines = flow.read_text(encoding="utf-8").splitlines(keepends=True)
    flow.write_text("".join(line for line in lines if "quiet_hours" not in line), encoding="utf-8")
    return folder


def begin(folder):
    """Bring in the contacts of a starter project, and make its flow live."""
    for arguments in (["import", "contacts", str(folder / "contacts.csv")], ["publish", "--all"]):
        with pytest.raises(SystemExit) as left:
            main([*arguments, "--project", str(folder)])
        assert not left.value.code


@pytest.fixture(scope="session")
def opened(laid_out, tmp_path_factory):
    """The same with its contacts, its flow live, to be copied."""
    folder = tmp_path_factory.mktemp("opened")
    shutil.copytree(laid_out, folder, dirs_exist_ok=True)
    begin(folder)
    return folder


@pytest.fixture
def database():
    """Where the shop's database is; None is in a file beside its project."""
    return


@pytest.fixture
def shop(empty, laid_out, database):
    """The starter project, and we are in it."""
    shutil.copytree(laid_out, empty, dirs_exist_ok=True)
    if database is not None:
        project = empty / "tactful.yaml"
        text = project.read_text(encoding="utf-8")
        project.write_text(text.replace("sqlite:///tactful.db", database), encoding="utf-8")
    return empty


@pytest.fixture
def open_shop(shop, opened, database):
    """The same with its contacts, its flow live."""
    if database is None:
        shutil.copytree(opened, shop, dirs_exist_ok=True)
    else:
        begin(shop)
    return shop


@pytest.fixture
def engine(open_shop):
    """The engine of the open shop, beside the command line."""
    with the_engine(project_in(open_shop)) as engine:
        yield engine


def project_in(folder):
    """The project of a folder."""
    project, problems = load_project(folder / "tactful.yaml")
    assert project is not None, problems
    return project


@pytest.fixture
def work():
    """Do once what the daemon does, in a folder: fire what is due, hand over what may go."""

    def once(folder):
        project, clock = project_in(folder), SystemClock()
        with the_engine(project) as engine:
            Runner(engine, clock).work()
            for sender in engine.outbox.waiting():
                settings = project.senders[sender]
                while Lane(sender, settings, engine.outbox, clock, connect(settings)).deliver():
                    pass
            Runner(engine, clock).work()

    return once
