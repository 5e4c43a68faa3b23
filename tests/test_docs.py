"""The documentation, held: its flows load, its pictures are those of the program, its links lead somewhere."""

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer.main

from tactful.elements import catalogue
from tactful.engine.cli import app, main
from tactful.engine.project import load_project
from tactful.engine.simulation.rates_file import read_rates
from tactful.engine.testing.command import run_paths
from tactful.flows.load import load_file, load_sources
from tactful.flows.source import read

ROOT = Path(__file__).parent.parent
SHOP = ROOT / "examples" / "tactful.yaml"
PAGES = sorted(
    [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    + [*(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LEFT_BEHIND = shutil.ignore_patterns("tactful.db*", "sent", "own-element")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")


def named(path):
    return path.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its kind (`yaml`), its text, and where it begins."""

    page: Path
    line: int
    kind: str
    text: str

    def __str__(self):
        return f"{named(self.page)}:{self.line}"


def blocks(*kinds):
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found += [
            Block(page, text.count("\n", 0, match.start()) + 2, match[1], match[2])
            for match in FENCE.finditer(text)
            if match[1] in kinds
        ]
    return found


def every_block(*kinds):
    return pytest.mark.parametrize("block", blocks(*kinds), ids=str)


EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=named)


def data_of(block):
    document, problems = read(str(block), block.text)
    assert problems == []
    assert document is not None
    return document.data


# --- What is generated -----------------------------------------------------------------------------


def generator():
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_and_pictures_are_as_they_would_be_written_now():
    stale = [
        name
        for name, text in generator().pages().items()
        if not (ROOT / "docs" / name).is_file() or (ROOT / "docs" / name).read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run: .venv/bin/python docs/generate.py"


def test_there_is_no_picture_but_those():
    drawn = {ROOT / "docs" / name for name in generator().pages()}
    assert {path for path in (ROOT / "docs" / "pictures").iterdir() if path.suffix == ".svg"} <= drawn


# --- YAML ------------------------------------------------------------------------------------------

HEADER = {"flow", "about", "entry", "stop_when", "settings", "start"}
AGREED = {"unreachable", "not-always-sent"}  # a fragment is not joined to anything


def beside(text):
    """The files a flow names, with something in them."""
    return dict.fromkeys(re.findall(r"\{file: ([\w.-]+)\}", text), "<p>Hello</p>")


def problems_of_flow(text, around=None):
    arguments = () if around is None else (around,)
    return load_sources({"flow.yaml": text, **beside(text)}, catalogue(), *arguments).problems


def problems_of_elements(text, data):
    """Elements by themselves: whatever they lead to, or name as a message, is put in."""
    missing = set()
    for element in data.values():
        target = element.get("next", [])
        sent = element.get("message", [])
        for word in (*([target] if isinstance(target, str) else dict(target).values() if target else ()),
                     *([sent] if isinstance(sent, str) else sent)):  # fmt: skip
            missing.add(word)
    stubs = "".join(
        f"  {word}: {{type: send_email, subject: s, text: t}}\n" for word in sorted(missing - {*data, "end"})
    )
    indented = "".join(f"  {line}" if line.strip() else line for line in text.splitlines(keepends=True))
    found = problems_of_flow(f"flow: f\nentry: {{event: began}}\nelements:\n{indented}{stubs}")
    return [problem for problem in found if problem.code not in AGREED]


@every_block("yaml")
def test_every_piece_of_yaml_means_something(block, tmp_path):
    data = data_of(block)
    assert isinstance(data, dict)
    if "scenarios" in data:
        shop = shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=LEFT_BEHIND)
        file = shop / "win-back" / "shown.flowtest.yaml"
        file.write_text(block.text, encoding="utf-8")
        assert run_paths([file]).ok
    elif "channels" in data:
        file = tmp_path / "rates.yaml"
        file.write_text(block.text, encoding="utf-8")
        assert [each.render() for each in read_rates(file)[1]] == []
    elif "elements" in data:
        assert [each.render() for each in problems_of_flow(block.text)] == []
    elif {*data} <= HEADER:
        text = block.text + "elements:\n  there: {type: goal, name: there}\n"
        found = problems_of_flow(text if "flow" in data else "flow: f\n" + text)
        assert [each.render() for each in found] == []
    elif all(isinstance(each, dict) and "type" in each for each in data.values()):
        assert [each.render() for each in problems_of_elements(block.text, data)] == []
    else:
        file = tmp_path / "tactful.yaml"
        file.write_text(block.text, encoding="utf-8")
        assert [each.render() for each in load_project(file)[1]] == []


def test_the_mistake_shown_is_what_comes(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "examples", tmp_path, ignore=LEFT_BEHIND, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    flow = Path("win-back", "flow.yaml")
    flow.write_text(flow.read_text(encoding="utf-8").replace("message: offer", "message: ofer"), encoding="utf-8")
    (shown,) = [block for block in blocks("text") if "ofer" in block.text]
    assert [problem.render() for problem in load_file(flow, catalogue()).problems] == [shown.text.rstrip()]


def test_the_proofs_shown_are_what_comes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    (flow,) = [block for block in blocks("yaml") if block.text.startswith("flow: monday-letter\n")]
    (shown,) = [block for block in blocks("text") if block.text.startswith("monday-letter ")]
    Path("flow.yaml").write_text(flow.text, encoding="utf-8")
    with pytest.raises(SystemExit) as left:
        main(["check", "flow.yaml", "--prove"])
    assert left.value.code == 1
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[lines.index("monday-letter  flow.yaml") :] == shown.text.splitlines()


def test_the_flow_of_the_readme_is_the_one_in_the_examples():
    (shown,) = [block for block in blocks("yaml") if block.page.name == "README.md" and block.page.parent == ROOT
                and "elements" in data_of(block)]  # fmt: skip
    assert shown.text == (ROOT / "examples" / "win-back" / "flow.yaml").read_text(encoding="utf-8")


# --- Python and TOML ---------------------------------------------------------------------------------


@every_block("python")
def test_python_runs(block, monkeypatch):
    module = type(sys)("shown")
    monkeypatch.setitem(sys.modules, "shown", module)
    exec(compile(block.text, str(block), "exec", dont_inherit=True), module.__dict__)  # noqa: S102 — our own pages


@pytest.mark.parametrize("block", [each for each in blocks("python") if "def test_" in each.text], ids=str)
def test_tests_that_are_shown_pass(block, tmp_path):
    shop = shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=LEFT_BEHIND)
    (shop / "win-back" / "test_shown.py").write_text(block.text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_shown.py"]
    ran = subprocess.run(command, cwd=shop / "win-back", capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


# --- Links -------------------------------------------------------------------------------------------


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@EVERY_PAGE
def test_links_lead_somewhere(page):
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    broken = []
    for match in LINK.finditer(prose):
        link = match[1] or match[2]
        if link.startswith(("https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


# --- Commands ------------------------------------------------------------------------------------------

INLINE = re.compile(r"`(tactful(?: [^`\n]+)?)`")
LONG = {"serve", "demo"}  # they run until somebody stops them, or for seconds


def commands_in(page):
    """What a page says to type: the `$` lines of its blocks, and what stands in the text as code."""
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        if match[1] == "console":
            yield from (command for command, _ in typed(match[2]))
    for match in INLINE.finditer(FENCE.sub("", text)):
        yield match[1]


def typed(console):
    """The commands of a console block, each with the output shown for it."""
    found: list[tuple[str, list[str]]] = []
    for line in console.splitlines():
        if line.startswith("$ "):
            found.append((line.removeprefix("$ ").partition("  #")[0].strip(), []))
        elif line.strip():
            found[-1][1].append(line)
    return found


def understood(command):
    """Fails unless the command line knows this command, its options and their number."""
    words = shlex.split(command)[1:]
    click_command, context = typer.main.get_command(app), None
    while words and hasattr(click_command, "commands"):
        if words[0].startswith("--"):
            assert words[0] in ("--help", "--version"), command
            return
        assert words[0] in click_command.commands, f"there is no `{command}`"
        click_command, words = click_command.commands[words[0]], words[1:]
    # In prose, `tactful stop` may stand for the command as such.
    if words and "--help" not in words:
        context = click_command.make_context("tactful", [word for word in words if word != "COMMAND"])
        context.close()


@EVERY_PAGE
def test_commands_exist_and_take_what_they_are_given(page):
    for command in commands_in(page):
        if command.startswith("tactful"):
            understood(command)


def test_what_the_readme_shows_is_what_comes(tmp_path, monkeypatch, capsys):
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=LEFT_BEHIND)
    folder = tmp_path
    commands = [each for block in blocks("console") if block.page == ROOT / "README.md" for each in typed(block.text)]
    assert len(commands) > 8
    for command, shown in commands:
        words = shlex.split(command)
        if words[0] == "cd":
            folder = folder / words[1]
        elif words[0] == "tactful" and words[1] not in LONG:
            monkeypatch.chdir(folder)
            with pytest.raises(SystemExit) as left:
                main(words[1:])
            out, err = capsys.readouterr()
            assert left.value.code in (0, None), f"{command}: {err}"
            assert not shown or out.splitlines() == shown, command


# --- The examples ------------------------------------------------------------------------------------


@pytest.mark.parametrize("flow", sorted((ROOT / "examples").glob("*/flow.yaml")), ids=named)
def test_the_examples_load_without_a_word_of_complaint(flow):
    project, problems = load_project(SHOP)
    assert problems == ()
    assert project is not None
    assert load_file(flow, catalogue(), project.surroundings()).problems == ()


@pytest.mark.parametrize("contacts", sorted((ROOT / "examples").glob("*/contacts.csv")), ids=named)
def test_the_contacts_of_the_examples_are_all_right_and_nobody_real(contacts):
    from tactful.engine.contacts_file import Row, read_contacts

    project, _ = load_project(SHOP)
    assert project is not None
    with contacts.open("rb") as file:
        rows = list(read_contacts(file, "csv", project.contact, project.region))
    assert 10 <= len(rows) <= 20
    for row in rows:
        assert isinstance(row, Row), row
        email, phone = row.contact.email, row.contact.phone
        assert email is None or re.search(r"@example\.(com|net|org)$", email)
        assert phone is None or RESERVED.fullmatch(phone), "use a number that is set aside for fiction"


# Ofcom's and ARCEP's mobile numbers for drama, North America's 555-01xx, and ACMA's.
RESERVED = re.compile(r"\+447700900\d{3}|\+3363998\d{4}|\+1\d{3}55501\d{2}|\+61491570(006|15[6-9]|110)")


def test_the_own_element_among_the_examples_is_a_project_of_its_own():
    project, _ = load_project(SHOP)
    assert project is not None
    assert [named(file.parent) for file in project.flow_files()] == [
        "examples/birthday",
        "examples/tasting",
        "examples/welcome",
        "examples/win-back",
    ]
