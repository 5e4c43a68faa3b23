"""What came of running scenarios: as text, as JSON, as JUnit XML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

from tactful.engine.testing.coverage import Coverage, Taken, cover
from tactful.engine.testing.steps import Step
from tactful.engine.testing.trace import Traced, render
from tactful.flows.model import Flow
from tactful.flows.problem import Problem


@dataclass(frozen=True, slots=True)
class Failure:
    """A step that did not hold: what was expected, what stood instead, and the contact's story up to there."""

    step: Step
    expected: str
    instead: str
    trace: tuple[Traced, ...]
    zone: ZoneInfo

    def render(self) -> str:
        """`file:line:col: …` with the step, what was expected, what stood instead, and the trace."""
        place = self.step.place
        lines = [
            f"{place.file}:{place.line}:{place.column}: {self.step.word} failed",
            f"    {self.step.written}",
            f"  expected: {self.expected}",
            f"  instead:  {self.instead}",
            f"  up to there, in {self.zone.key}:",
            *(f"    {line}" for line in render(self.trace, self.zone) or ["nothing happened"]),
        ]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """line, column, step, expected, instead, trace."""
        return {
            "line": self.step.place.line,
            "column": self.step.place.column,
            "step": self.step.word,
            "expected": self.expected,
            "instead": self.instead,
            "trace": [line.as_json() for line in self.trace],
        }


@dataclass(frozen=True, slots=True)
class Ran:
    """A scenario that was run. `failure` is None where every step held; `taken` are the exits its journeys took, also
    where it failed later on."""

    name: str
    line: int
    seconds: float
    failure: Failure | None = None
    taken: frozenset[Taken] = frozenset()

    def as_json(self) -> dict[str, Any]:
        """name, line, passed, seconds, failure (null where it passed)."""
        failure = None if self.failure is None else self.failure.as_json()
        return {
            "name": self.name,
            "line": self.line,
            "passed": failure is None,
            "seconds": round(self.seconds, 6),
            "failure": failure,
        }


@dataclass(frozen=True, slots=True)
class FileRan:
    """A file of scenarios: those that were run, through which flows, or the problems that kept all of them from it."""

    path: Path
    ran: tuple[Ran, ...]
    problems: tuple[Problem, ...] = ()
    flows: tuple[Flow, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it all. `missing` are the paths asked for in which there is nothing to run."""

    files: tuple[FileRan, ...]
    missing: tuple[Path, ...] = ()

    @property
    def scenarios(self) -> Sequence[Ran]:
        """All that were run."""
        return [ran for file in self.files for ran in file.ran]

    @property
    def failed(self) -> Sequence[Ran]:
        """Those that failed."""
        return [ran for ran in self.scenarios if ran.failure is not None]

    @property
    def broken(self) -> Sequence[FileRan]:
        """The files that cannot be run."""
        return [file for file in self.files if file.problems]

    @property
    def ok(self) -> bool:
        """Whether something was run, and all of it passed."""
        return bool(self.scenarios) and not (self.failed or self.broken or self.missing)

    def coverage(self, untried: Iterable[Flow] = (), *, all_exits: bool = False) -> Coverage:
        """Which exits were taken, of the flows that were run and of those `untried`."""
        ran = [
            cover(flow, {taken for each in file.ran for taken in each.taken}, all_exits=all_exits)
            for file in self.files
            for flow in file.flows
        ]
        return Coverage.of([*ran, *(cover(flow, (), all_exits=all_exits) for flow in untried)])

    def as_json(self) -> dict[str, Any]:
        """passed, failed, broken, seconds, missing (paths), and files: each with file, problems and scenarios."""
        return {
            "passed": len(self.scenarios) - len(self.failed),
            "failed": len(self.failed),
            "broken": len(self.broken),
            "seconds": round(sum(ran.seconds for ran in self.scenarios), 6),
            "missing": [str(path) for path in self.missing],
            "files": [
                {
                    "file": str(file.path),
                    "problems": [problem.as_json() for problem in file.problems],
                    "scenarios": [ran.as_json() for ran in file.ran],
                }
                for file in self.files
            ],
        }

    def as_junit(self) -> bytes:
        """JUnit XML, as CI systems read it: a suite for each file; a file that cannot be run is an error."""
        root = ET.Element("testsuites", name="tactful")
        _count(root, self.scenarios, len(self.broken))
        for file in self.files:
            suite = ET.SubElement(root, "testsuite", name=_xml(str(file.path)))
            _count(suite, file.ran, bool(file.problems))
            if file.problems:
                case = _case(suite, file.path, "the file", 1, 0.0)
                first = file.problems[0]
                error = ET.SubElement(case, "error", message=_xml(first.message), type=first.code)
                error.text = _xml("\n".join(problem.render() for problem in file.problems))
            for ran in file.ran:
                case = _case(suite, file.path, ran.name, ran.line, ran.seconds)
                if ran.failure is not None:
                    said = f"expected: {ran.failure.expected}; instead: {ran.failure.instead}"
                    failure = ET.SubElement(case, "failure", message=_xml(said), type=ran.failure.step.word)
                    failure.text = _xml(ran.failure.render())
        ET.indent(root)
        written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
        return written


# What XML 1.0 cannot hold, however written.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _xml(text: str) -> str:
    return _NOT_XML.sub("�", text)


def _count(suite: ET.Element, ran: Sequence[Ran], broken: int) -> None:
    suite.set("tests", str(len(ran) + broken))
    suite.set("failures", str(sum(each.failure is not None for each in ran)))
    suite.set("errors", str(int(broken)))
    suite.set("skipped", "0")
    suite.set("time", f"{sum(each.seconds for each in ran):.3f}")


def _case(suite: ET.Element, path: Path, name: str, line: int, seconds: float) -> ET.Element:
    about = {"classname": _xml(str(path)), "name": _xml(name), "file": _xml(str(path)), "line": str(line)}
    return ET.SubElement(suite, "testcase", {**about, "time": f"{seconds:.3f}"})
