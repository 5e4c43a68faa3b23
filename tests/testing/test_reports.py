"""Running files and folders, and what comes of it: JSON, JUnit XML, the command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tactful.engine.cli import main
from tactful.engine.testing.command import run_paths

HEAD = "flow: flow.yaml\nscenarios:\n"
PASSES = "  - {name: passes, contact: {email: a@example.com}, steps: [not_sent: offer]}\n"
FAILS = '  - {name: "fails \x85 ]]> <&", contact: {email: a@example.com}, steps: [{sent: offer}]}\n'


@pytest.fixture
def scenarios(folder: Path) -> Path:
    """A folder with a file of which one scenario passes and one fails, and one that is broken."""
    (folder / "a.flowtest.yaml").write_text(HEAD + PASSES + FAILS)
    (folder / "deeper").mkdir()
    (folder / "deeper" / "b.flowtest.yml").write_text("flow: nowhere.yaml\nscenarios:\n" + PASSES)
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "c.flowtest.yaml").write_text("broken")
    return folder


def test_a_folder_is_run_with_all_below(scenarios: Path) -> None:
    report = run_paths([Path(), Path("a.flowtest.yaml")])
    assert [str(file.path) for file in report.files] == ["a.flowtest.yaml", "deeper/b.flowtest.yml"]
    assert [(ran.name[:6], ran.line, ran.failure is None) for ran in report.scenarios] == [
        ("passes", 3, True),
        ("fails ", 4, False),
    ]
    assert [file.problems[0].code for file in report.broken] == ["no-file"]
    assert not report.ok


def test_scenarios_are_chosen_by_name(scenarios: Path) -> None:
    report = run_paths([Path("a.flowtest.yaml")], name="PASS")
    assert [ran.name for ran in report.scenarios] == ["passes"]
    assert report.ok
    assert not run_paths([Path("a.flowtest.yaml")], name="nothing of that name").ok


def test_a_folder_without_scenarios_is_not_well(folder: Path) -> None:
    report = run_paths([folder])
    assert report.missing == (folder,)
    assert not report.ok


def test_the_report_as_json(scenarios: Path) -> None:
    found = json.loads(json.dumps(run_paths([Path()]).as_json()))
    assert (found["passed"], found["failed"], found["broken"]) == (1, 1, 1)
    passed, failed = found["files"][0]["scenarios"]
    assert (passed["name"], passed["line"], passed["passed"], passed["failure"]) == ("passes", 3, True, None)
    assert failed["failure"]["step"] == "sent"
    assert failed["failure"]["line"] == 4
    assert failed["failure"]["trace"] == []
    assert found["files"][1]["problems"][0]["code"] == "no-file"


def test_the_report_as_junit_is_what_ci_reads(scenarios: Path) -> None:
    root = ET.fromstring(run_paths([Path()]).as_junit())
    assert (root.tag, root.get("tests"), root.get("failures"), root.get("errors")) == ("testsuites", "3", "1", "1")
    for suite in [root, *root]:
        cases = list(suite.iter("testcase"))
        assert int(suite.get("tests", "")) == len(cases)
        assert int(suite.get("failures", "")) == sum(case.find("failure") is not None for case in cases)
        assert int(suite.get("errors", "")) == sum(case.find("error") is not None for case in cases)
        assert float(suite.get("time", "")) >= 0
        assert suite.get("skipped") == "0"
    assert [suite.get("name") for suite in root] == ["a.flowtest.yaml", "deeper/b.flowtest.yml"]
    passed, failed, broken = root.iter("testcase")
    assert set(passed.keys()) == {"classname", "name", "file", "line", "time"}
    assert list(passed) == []
    assert "]]> <&" in failed.get("name", "")
    (failure,) = failed
    assert failure.get("type") == "sent"
    assert failure.get("message", "").startswith("expected: exactly one message of `offer`")
    assert (failure.text or "").startswith("a.flowtest.yaml:4:")
    assert "nowhere.yaml" in (broken[0].text or "")


def exit_code(*arguments: str) -> object:
    with pytest.raises(SystemExit) as left:
        main(["test", *arguments])
    return left.value.code


def test_the_command(scenarios: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("a.flowtest.yaml", "-k", "passes", "--junit", "report.xml") == 0
    assert capsys.readouterr().out == "passed  a.flowtest.yaml:3  passes\n1 passed\n"
    assert ET.parse("report.xml").getroot().get("tests") == "1"
    assert exit_code() == 1
    said = capsys.readouterr().out
    assert "expected: exactly one message of `offer` sent since the scenario began" in said
    assert "deeper/b.flowtest.yml:1:7: error: there is no file `nowhere.yaml` beside this one [no-file]" in said
    assert said.endswith("1 passed, 1 failed, 1 file broken\n")
    assert exit_code("--json") == 1
    assert json.loads(capsys.readouterr().out)["failed"] == 1
    assert exit_code("nowhere") == 2
    assert exit_code("deeper/..", "-k", "nothing") == 1


def test_the_command_needs_nothing_of_the_development_group() -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('pytest', 'hypothesis', 'freezegun'))); "
        "import tactful.engine.testing.command, tactful.engine.testing.scenario_schema, tactful.engine.cli.scenarios"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
