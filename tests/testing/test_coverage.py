"""Which exits were taken, and which by nobody."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tactful.elements.contract import Element
from tactful.engine.cli import main
from tactful.engine.testing.command import run_paths, untried_flows
from tactful.engine.testing.coverage import Coverage, FlowCoverage, Taken, cover, exits_of
from tactful.flows.load import load_file, load_sources
from tactful.flows.model import Flow

SCENARIOS = """
flow: flow.yaml
scenarios:
  - name: opened
    contact: {email: ana@example.com}
    steps: [{enter: {}}, {opens: offer}]
  - name: not opened, and then something that does not hold
    contact: {email: ana@example.com}
    steps: [{enter: {}}, {after: 48 hours}, {stands_at: offer}]
"""


@pytest.fixture
def flow(folder: Path, elements: Mapping[str, type[Element]]) -> Flow:
    """The flow of the folder."""
    loaded = load_file(Path("flow.yaml"), elements)
    assert loaded.flow is not None
    return loaded.flow


def untaken(coverage: FlowCoverage) -> set[tuple[str, str]]:
    return {(each.element, each.exit) for each in coverage.untaken}


def test_the_exits_a_picture_shows_count(flow: Flow) -> None:
    coverage = cover(flow, [Taken("win-back", "offer", "sent"), Taken("another", "opened", "happened")])
    assert untaken(coverage) == {
        ("offer", "failed"), ("opened", "happened"), ("opened", "timed_out"), ("rest", "done"), ("by_text", "sent"),
        ("ask", "sent"), ("answer", "agree"), ("answer", "otherwise"), ("answer", "timed_out"), ("happy", "done"),
        ("reached", "done"), ("unopened", "done"),
    }  # fmt: skip
    assert coverage.untaken[0] == ("offer", "failed", "by_text", 11, False)


def test_exits_that_need_no_name_count_when_asked_for(flow: Flow) -> None:
    more = untaken(cover(flow, [], all_exits=True)) - untaken(cover(flow, []))
    assert more == {("offer", "suppressed"), ("by_text", "failed"), ("by_text", "suppressed"), ("ask", "failed"),
                    ("ask", "suppressed")}  # fmt: skip


def test_what_nothing_can_leave_by_never_counts(elements: Mapping[str, type[Element]]) -> None:
    text = """
flow: f
settings: {sender: {email: a@acme.example}}
elements:
  one: {type: send_email, subject: s, text: t, next: {sent: seen, failed: seen}}
  seen:
    {type: wait_for_event, event: opened, message: one, within: 1 day,
     next: {happened: two, timed_out: two, not_sent: end}}
  two: {type: send_email, subject: s, text: t, next: read}
  read: {type: wait_for_event, event: opened, message: two, within: forever, next: {happened: end, timed_out: end}}
"""
    flow = load_sources({"flow.yaml": text}, elements).flow
    assert flow is not None
    found = {(each.element, each.exit) for each in exits_of(flow)}
    assert ("seen", "not_sent") in found  # after `failed`
    assert not found & {("read", "not_sent"), ("read", "timed_out")}


def test_what_failed_later_was_taken_all_the_same(folder: Path) -> None:
    (folder / "it.flowtest.yaml").write_text(SCENARIOS)
    (coverage,) = run_paths([Path()]).coverage().flows
    assert coverage.taken == {("offer", "sent"), ("opened", "happened"), ("opened", "timed_out"), ("unopened", "done")}


def test_files_about_the_same_flow_count_together(folder: Path) -> None:
    (folder / "a.flowtest.yaml").write_text(SCENARIOS)
    (folder / "deeper").mkdir()
    (folder / "deeper" / "b.flowtest.yaml").write_text(
        "flow: ../flow.yaml\nscenarios:\n  - name: by text\n    contact: {phone: '+385911234567'}\n"
        "    steps: [{fails: offer}, {enter: {}}]\n"
    )
    coverage = run_paths([Path()]).coverage()
    assert (len(coverage.flows), coverage.taken, coverage.exits) == (1, 4, 13)
    assert round(coverage.percent, 1) == 30.8


def test_flows_without_scenarios_count_and_broken_ones_are_told(folder: Path) -> None:
    (folder / "other.yaml").write_text("flow: other\nelements: {a: {type: goal, name: g}}\n")
    (folder / "broken.yaml").write_text("flow: broken\nelements: {a: {type: gaol, name: g}}\n")
    report = run_paths([Path()])
    flows, problems = untried_flows([Path()], report)
    assert [flow.id for flow in flows] == ["win-back", "other"]
    assert [problem.code for problem in problems] == ["unknown-type"]
    assert report.coverage(flows).exits == 14


def test_nothing_to_take_is_all_of_it() -> None:
    assert Coverage(()).percent == 100


def exit_code(*arguments: str) -> object:
    with pytest.raises(SystemExit) as left:
        main(["test", *arguments])
    return left.value.code


def test_the_command_says_draws_and_fails(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    passing = SCENARIOS.replace("stands_at: offer", "ended: unopened")
    (folder / "it.flowtest.yaml").write_text(passing)
    assert exit_code("--coverage", "--coverage-picture", "pictures") == 0
    said = capsys.readouterr().out
    assert "win-back      4 of 13  30 %  flow.yaml" in said
    assert "answer   agree      -> happy    flow.yaml:25" in said
    assert said.endswith("4 of 13 exits taken, 30 %\n")
    assert "In red: what no scenario took, 9 of 13 exits" in Path("pictures/win-back.svg").read_text()
    assert exit_code("--fail-under", "30") == 0
    assert exit_code("--fail-under", "31") == 1
    assert "30.77 % of the exits were taken, and 31 % are asked for" in capsys.readouterr().err
    assert exit_code("--coverage", "--all-exits", "--json") == 0
    found = json.loads(capsys.readouterr().out)["coverage"]
    assert (found["taken"], found["exits"], found["percent"]) == (4, 18, 22.22)
    assert found["flows"][0]["untaken"][0] == {
        "element": "offer", "exit": "failed", "to": "by_text", "line": 11, "unsaid": False
    }  # fmt: skip
    assert exit_code() == 0
    assert "exits taken" not in capsys.readouterr().out
