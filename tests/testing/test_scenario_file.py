"""Broken files of scenarios: every mistake at once, each at its place, with a hint where there is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tactful.elements.contract import Element
from tactful.engine.testing.scenario_file import read_scenarios
from tactful.engine.testing.scenario_schema import STEPS
from tactful.engine.testing.step_reading import WORDS
from tactful.flows.problem import Problem

Problems = Callable[[str], list[Problem]]
HEAD = "flow: flow.yaml\nscenarios:\n  - name: it\n    contact: {email: ana@example.com}\n    steps:\n"


def only(problems: list[Problem]) -> Problem:
    (problem,) = problems
    return problem


def test_every_mistake_is_told_at_once(problems: Problems) -> None:
    found = problems("""\
        flow: flow.yaml
        scenarois: []
        scenarios:
          - name: one
            contact: {emial: 1, phone: "12"}
            at: tomorrow
            steps:
              - sent: ofer
              - opens: opened
              - after: 3 fortnights
              - sends: offer
              - restart:
              - stands_at: offer
                sent: offer
          - contact: ana
            step: []
        """)
    assert [(p.place.line, p.place.column, p.code, p.hint and p.hint.split(":")[0]) for p in found] == [
        (2, 1, "unknown-key", "did you mean `scenarios`?"),
        (5, 32, "bad-contact", None),
        (6, 9, "bad-time", "write `2026-03-02 09"),
        (8, 15, "unknown-element", "did you mean `offer`?"),
        (9, 16, "not-a-send", "there are `offer`, `by_text` and `ask`"),
        (10, 18, "unknown-unit", "there are seconds, minutes, hours, days, weeks"),
        (11, 9, "unknown-step", "did you mean `sent`?"),
        (12, 9, "empty", "write `restart"),
        (14, 9, "two-steps", "begin every step with `-`; or does this line belong deeper?"),
        (15, 5, "missing-option", "it is text"),
        (15, 5, "missing-option", "it is a list (`- sent"),
        (15, 14, "wrong-type", None),
        (16, 5, "unknown-key", "did you mean `steps`?"),
    ]
    assert found[3].render() == (
        "it.flowtest.yaml:8:15: error: there is no element `ofer` [unknown-element]\n"
        "          - sent: ofer\n"
        "                  ^\n"
        "  hint: did you mean `offer`?"
    )


@pytest.mark.parametrize(
    ("step", "code", "said", "hint"),
    [
        ("restart", "wrong-type", "a step is one act or expectation, not `restart`", "write `- restart: {}`"),
        ("restart: now", "wrong-type", "`restart` cannot be `now`", "write `restart: {}`"),
        ("enter: yes", "wrong-type", "`enter` cannot be `yes`", None),
        ("enter: {flow: winback}", "unknown-flow", "there is no flow `winback`", "did you mean `win-back`?"),
        ("happens: purchased", "wrong-type", "`happens` cannot be `purchased`", None),
        ("happens: {value: 3}", "missing-option", "`happens` needs `event`", None),
        ("happens: {event: opened}", "not-an-event", "`opened` is a message's event", "write `opens: …`"),
        ("happens: {event: replied}", "not-an-event", "`replied` is a message's event", "write `replies: …`"),
        ("opens: [offer]", "wrong-type", "`opens` cannot be a list", "write the id of an element: `opens: offer`"),
        ("opens: by_text", "never-reported", "nobody ever learns that a message on sms was opened", None),
        ("replies: {text: yes}", "missing-option", "`replies` needs `to`, an element, or `sender`", None),
        ("replies: {to: offer, sender: a, text: b}", "two-options", "`replies` is to an element or to a sender", None),
        ("replies: {to: offer, txt: b}", "unknown-option", "`replies` has no option `txt`", "did you mean `text`?"),
        ("replies: {to: ofer, text: b}", "unknown-element", "there is no element `ofer`", "did you mean `offer`?"),
        ("changes: {id: 3}", "bad-contact", "the id of a contact never changes", None),
        ("changes: {email: ana}", "bad-contact", "email `ana`: ", None),
        ("changes: {time_zone: Europe/Zagrb}", "bad-contact", "is not a time zone", "did you mean `Europe/Zagreb`?"),
        ("changes: {phone: null}", "empty", "`phone` is empty", None),
        ("after: 48", "no-unit", "`48` has no unit", "write `48 hours` or `48 days`"),
        ("after: {}", "wrong-type", "`after` cannot be a mapping", "write a duration: `after: 48 hours`"),
        ("until: later", "bad-time", "`later` is not a time", None),
        ("sent: {element: offer}", "missing-option", "`sent` needs `contains`", None),
        ("sent: {element: ofer, contains: a}", "unknown-element", "there is no element `ofer`", None),
        ("held: opened", "not-a-send", "`opened` (wait_for_event) sends nothing", None),
        ("stands_at: opend", "unknown-element", "there is no element `opend`", "did you mean `opened`?"),
        ("path: offer", "wrong-type", "`path` cannot be `offer`", None),
        ("path: [offer, opend]", "unknown-element", "there is no element `opend`", "did you mean `opened`?"),
        ("contact: {}", None, "", None),
        ("on_do_not_contact: emial", "unknown-channel", "there is no channel `emial`", "did you mean `email`?"),
        ("on_do_not_contact: {channel: fax, sender: a}", "unknown-channel", "there is no channel `fax`", None),
        ("not_on_do_not_contact: {channel: sms}", "missing-option", "needs `sender`", None),
        ("goal:", "empty", "`goal` is empty", None),
    ],
)
def test_a_mistake_in_a_step(problems: Problems, step: str, code: str | None, said: str, hint: str | None) -> None:
    found = problems(HEAD + f"      - {step}\n")
    if code is None:
        assert found == []
        return
    problem = only(found)
    assert problem.code == code
    assert said in problem.message
    assert problem.place.line == 6
    if hint is not None:
        assert problem.hint == hint


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("", "wrong-type", "the file is"),
        ("- a", "wrong-type", "the file is a list"),
        ("flow: flow.yaml", "missing-option", "`scenarios` is missing"),
        ("flow: flow.yaml\nscenarios: []", "empty", "there is no scenario here"),
        ("scenarios: []", "missing-option", "say which flow this is about"),
        ("flow: flaw.yaml\nscenarios: []", "no-file", "there is no file `flaw.yaml` beside this one"),
        ("flow: flow.yaml\nflows: [flow.yaml]\nscenarios: []", "two-options", "`flow` or `flows`, not both"),
        ("flows: [flow.yaml, flow.yaml]\nscenarios: []", "duplicate-flow", "flow `win-back` is here already"),
        ("flow: flow.yaml\nproject: nowhere.yaml\nscenarios: []", "no-file", "there is no file `nowhere.yaml`"),
        ("flow: [", "syntax", "never closed"),
        (HEAD.replace("name: it", "name: ''") + "      - sent: offer", "empty", "`name` is empty"),
        (HEAD.replace("steps:\n", "steps: []\n"), "empty", "the scenario has no steps"),
    ],
)
def test_a_mistake_in_a_file(problems: Problems, text: str, code: str, said: str) -> None:
    assert (code, True) in [(problem.code, said in problem.message) for problem in problems(text)]


def test_two_scenarios_of_one_name(problems: Problems) -> None:
    again = "  - name: it\n    contact: {email: b@example.com}\n    steps: [restart: {}]\n"
    problem = only(problems(HEAD + "      - restart: {}\n" + again))
    assert (problem.code, problem.place.line, problem.hint) == ("duplicate-name", 7, "the first one is on line 3")


def test_mistakes_of_the_flow_and_the_project_are_told_as_well(problems: Problems, folder: Path) -> None:
    (folder / "flow.yaml").write_text("flow: f\nelements:\n  a: {type: paws}\n")
    (folder / "tactful.yaml").write_text("sendres: {}\n")
    found = problems(HEAD + "      - sent: anything\n      - afer: 1 day\n")
    assert [(p.place.file, p.code) for p in found] == [
        ("it.flowtest.yaml", "unknown-step"),
        ("flow.yaml", "unknown-type"),
        ("tactful.yaml", "unknown-option"),
    ]


def test_what_the_project_declares_is_looked_up(problems: Problems, project: str) -> None:
    steps = "      - replies: {sender: new@acme.example, text: a}\n      - contact: {mod: good}\n"
    found = problems(HEAD.replace("email:", "first_nme: A, email:") + steps)
    assert [(p.place.line, p.code, p.hint) for p in found] == [
        (4, "unknown-attribute", "did you mean `first_name`?"),
        (6, "unknown-sender", "did you mean `news@acme.example`?"),
        (7, "unknown-attribute", "did you mean `mood`?"),
    ]


def test_a_file_that_is_not_there(elements: Mapping[str, type[Element]]) -> None:
    file, (problem,) = read_scenarios(Path("nowhere.flowtest.yaml"), elements)
    assert file is None
    assert problem.render() == (
        "nowhere.flowtest.yaml:1:1: error: the file cannot be read: no such file or directory [file-unreadable]"
    )


def test_the_schema_has_every_word() -> None:
    assert list(STEPS) == list(WORDS)
