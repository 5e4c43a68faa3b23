"""What the tests of the harness share: a folder with flows, and scenarios written in the test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent, indent

import pytest

from tactful.elements import catalogue
from tactful.elements.contract import Element
from tactful.engine.testing.report import Ran
from tactful.engine.testing.scenario_file import read_scenarios
from tactful.engine.testing.scenario_run import run_scenario
from tactful.flows.problem import Problem

FLOW = """
flow: win-back
entry: {event: basket_abandoned, where: event.value >= 20, again: after 30 days}
stop_when:
  - {event: purchased, where: event.value > 0, goal: true}
settings:
  sender: {email: news@acme.example, sms: "+38595000111"}
  quiet_hours: {from: "21:00", until: "08:00"}
  time_zone: Europe/Zagreb
elements:
  offer:
    type: send_email
    subject: "We kept your basket, {{ contact.first_name | default: 'friend' }}"
    html: "<p>Tea &amp; cups</p>"
    next: {sent: opened, failed: by_text, suppressed: end}
  opened:
    type: wait_for_event
    event: opened
    message: offer
    within: 48 hours
    next: {happened: rest, timed_out: unopened, not_sent: end}
  rest: {type: pause, for: 1 day, next: ask}
  by_text: {type: send_sms, text: We kept your basket}
  ask: {type: send_email, subject: Still there?, text: Tell us, next: answer}
  answer:
    type: wait_for_reply
    within: 3 days
    paths: {agree: [yes, ok]}
    next: {agree: happy, otherwise: end, timed_out: end}
  happy: {type: update_contact, set: {mood: good, orders: 3}, add_tags: [fan], next: reached}
  reached: {type: goal, name: answered}
  unopened: {type: add_to_do_not_contact, channel: email, level: any_sender}
"""

PROJECT = """
senders:
  news@acme.example: {channel: email, via: console}
  "+38595000111": {channel: sms, via: console}
contact:
  first_name: text
  orders: number
  mood: text
opt_out:
  base_url: https://go.acme.example
  links: {enabled: true, level: this_sender}
"""


@pytest.fixture(scope="session")
def elements() -> Mapping[str, type[Element]]:
    """All elements there are."""
    return catalogue()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a flow in it, where we are."""
    (tmp_path / "flow.yaml").write_text(FLOW)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def project(folder: Path) -> str:
    """A project file beside the flow; its name."""
    (folder / "tactful.yaml").write_text(PROJECT)
    return "tactful.yaml"


@pytest.fixture
def run(folder: Path, elements: Mapping[str, type[Element]]) -> Callable[..., Ran]:
    """Run one scenario: its steps, and what else it says (its `contact` is Ana, from Monday 2026-03-02 09:00)."""

    def run(
        steps: str, contact: str = "{email: ana@example.com, first_name: Ana}", head: str = "flow: flow.yaml"
    ) -> Ran:
        path = folder / "it.flowtest.yaml"
        path.write_text(
            f"{head}\nscenarios:\n  - name: it\n    contact: {contact}\n    at: 2026-03-02 09:00\n    steps:\n"
            + indent(dedent(steps).strip("\n"), "      ")
        )
        file, problems = read_scenarios(Path("it.flowtest.yaml"), elements)
        assert file is not None, "\n".join(problem.render() for problem in problems)
        return run_scenario(file.scenarios[0], file, elements)

    return run


@pytest.fixture
def problems(folder: Path, elements: Mapping[str, type[Element]]) -> Callable[[str], list[Problem]]:
    """What is wrong with a file of scenarios."""

    def problems(text: str) -> list[Problem]:
        (folder / "it.flowtest.yaml").write_text(dedent(text))
        return list(read_scenarios(Path("it.flowtest.yaml"), elements).problems)

    return problems
