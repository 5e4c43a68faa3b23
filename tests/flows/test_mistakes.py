"""Broken flows, and what is said of each: every mistake at its place, in one go.

A file in `broken/` ends with comments: the project around it (`lone`, `project` or `no links`), and the problems as
`line:column severity code`, in the order they are told. Those of a file beside the flow begin with its name.
"""

from pathlib import Path

import pytest

from tactful.flows.load import load_file
from tactful.flows.model import LONE, SenderFacts, Surroundings

BROKEN = Path(__file__).parent / "broken"
FILES = sorted(BROKEN.glob("*.yaml"))

SENDERS = {
    "news@acme.example": SenderFacts("email"),
    "blind@acme.example": SenderFacts("email", reports=frozenset({"delivered"})),
    "+38595000111": SenderFacts("sms"),
    "ACME": SenderFacts("sms", two_way=False),
}
AROUND = {
    "lone": LONE,
    "project": Surroundings(
        attributes={"first_name": "text", "orders": "number", "birthday": "date", "vip": "boolean", "likes": "list"},
        senders=SENDERS,
        transactional=frozenset({"password-reset"}),
        opt_out_links=True,
    ),
    "no links": Surroundings(senders=SENDERS, opt_out_links=False),
}


def told(problem):
    place = problem.place
    file = Path(place.file).name
    named = "" if file.endswith(".yaml") else file + ":"
    return f"{named}{place.line}:{place.column} {problem.severity} {problem.code}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_mistake_is_told_at_its_place(path, elements):
    *_, expected = path.read_text(encoding="utf-8").rpartition("\n\n")
    around, *problems = [line.removeprefix("# ") for line in expected.splitlines()]
    loaded = load_file(path, elements, AROUND[around])
    assert [told(problem) for problem in loaded.problems] == problems
    assert (loaded.flow is None) == any(" error " in problem for problem in problems)


def test_there_are_files_to_try():
    assert len(FILES) > 60


def test_a_problem_is_shown_with_its_line_a_caret_and_a_hint(load):
    (problem,) = load("flow: f\nelements:\n  a: {type: gaol, name: x}\n").problems
    assert problem.render() == (
        "flow.yaml:3:13: error: there is no type of element `gaol` [unknown-type]\n"
        "      a: {type: gaol, name: x}\n"
        "                ^\n"
        "  hint: did you mean `goal`?"
    )
    assert problem.as_json() == {
        "file": "flow.yaml",
        "line": 3,
        "column": 13,
        "severity": "error",
        "code": "unknown-type",
        "message": "there is no type of element `gaol`",
        "hint": "did you mean `goal`?",
        "source_line": "  a: {type: gaol, name: x}",
    }


def test_a_caret_stands_under_wide_characters_too(load):
    (problem,) = load("flow: f\nelements:\n  a: {type: goal, name: 日本, nam: x}\n").problems
    *_, line, caret, _ = problem.render().split("\n")
    # Each of the two takes two columns of a terminal.
    assert caret.index("^") == line.index("nam: x}") + 2


def test_of_a_long_line_the_neighbourhood_is_shown(load):
    text = "flow: f\nelements: {" + ", ".join(f"e{n}: {{type: gaol}}" for n in range(200)) + "}\n"
    problem = load(text).problems[150]
    *_, line, caret, _ = problem.render().split("\n")
    assert len(line) < 120
    assert line[caret.index("^") :].startswith("gaol")


def test_a_problem_cannot_write_to_the_terminal(load):
    loaded = load('flow: "\\e[31mx"\nelements:\n  a: {type: "\\e[2J"}\n')
    assert loaded.problems
    for problem in loaded.problems:
        assert "\x1b" not in problem.render()


def test_of_very_many_mistakes_the_first_are_told(load):
    text = "flow: f\nelements:\n" + "".join(f"  e{n}: {{type: gaol}}\n" for n in range(2_000))
    problems = load(text).problems
    assert len(problems) == 501
    assert problems[-1].code == "too-many-problems"
